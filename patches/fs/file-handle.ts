/** What stands under Node's own `FileHandle` class for a far file: its descriptor, and how it is closed. */
import { AsyncResource } from 'node:async_hooks';

type Close = (descriptor: number) => Promise<void>;

/** Handles that the program lost without closing them. */
const lost = new FinalizationRegistry<{ descriptor: number; close: Close }>(
  ({ descriptor, close }) => {
    process.emitWarning(`Closing file descriptor ${descriptor} on garbage collection`);
    close(descriptor).catch(() => undefined);
  },
);

/** Node's class calls these, and reads `fd`. */
export class HandleBase {
  readonly fd: number;
  /** Node 20 sets it when the handle is made into a web stream. */
  onread: unknown = undefined;
  readonly #resource = new AsyncResource('FILEHANDLE');
  readonly #close: Close;
  /** An own function makes structured clone refuse: the descriptor means nothing in another thread. */
  readonly uncloneable = (): void => undefined;

  constructor(descriptor: number, close: Close) {
    this.fd = descriptor;
    this.#close = close;
    lost.register(this, { descriptor, close }, this);
  }

  getAsyncId(): number {
    return this.#resource.asyncId();
  }

  close(): Promise<void> {
    lost.unregister(this);
    return this.#close(this.fd);
  }

  /** Hands the descriptor over: it is no longer closed with the handle. */
  releaseFD(): number {
    lost.unregister(this);
    return this.fd;
  }
}
