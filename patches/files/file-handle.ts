/** The native part of a FileHandle; lib/internal/fs/promises.js puts its real class around it and uses only the number. */
import { AsyncResource } from 'node:async_hooks';
import type { FsBinding, NativeFunction } from './binding.ts';

/** A handle that nobody closed closes its file when it is collected, as the native one does, and says so. */
const forgotten = new FinalizationRegistry<{
  readonly fd: number;
  readonly close: (fd: number) => void;
}>(({ fd, close }) => {
  process.emitWarning(`Closing file descriptor ${fd} on garbage collection`);
  close(fd);
});

class NativeFileHandle extends AsyncResource {
  readonly #binding: FsBinding;
  fd: number;
  onread: unknown = undefined;

  constructor(fd: number, binding: FsBinding) {
    super('FILEHANDLE');
    this.fd = fd;
    this.#binding = binding;
    forgotten.register(
      this,
      {
        fd,
        close: (open) => void (binding['close'] as NativeFunction)(open, binding.kUsePromises),
      },
      this,
    );
  }

  getAsyncId(): number {
    return this.asyncId();
  }

  close(): Promise<unknown> {
    const fd = this.releaseFD();
    return (this.#binding['close'] as NativeFunction)(
      fd,
      this.#binding.kUsePromises,
    ) as Promise<unknown>;
  }

  closeSync(): void {
    (this.#binding['close'] as NativeFunction)(this.releaseFD());
  }

  /** The number no longer belongs to this handle. */
  releaseFD(): number {
    const { fd } = this;
    this.fd = -1;
    forgotten.unregister(this);
    return fd;
  }
}

export function fileHandle(fd: number, binding: FsBinding): object {
  return new NativeFileHandle(fd, binding);
}
