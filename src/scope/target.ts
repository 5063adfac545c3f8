/** A patch's way to the far side in one scope. Handles made in the scope keep it for life. */
import type { ByteStream, Channel, PeerInfo, StreamHandler } from '../connection/channel.ts';
import type { ScopeView } from '../patch.ts';

export class PatchTarget {
  readonly scope: ScopeView;
  readonly connection: Channel;
  readonly #prefix: string;

  constructor(patch: string, scope: ScopeView, channel: Channel) {
    this.#prefix = `${patch}.`;
    this.scope = scope;
    this.connection = channel;
  }

  get peer(): PeerInfo {
    return this.connection.peer;
  }

  get alive(): boolean {
    return this.connection.state !== 'closed';
  }

  send(
    name: string,
    args: readonly unknown[],
    done: (error: unknown, value?: unknown) => void,
  ): () => void {
    const id = this.connection.request(this.#prefix + name, args, done);
    return () => this.connection.cancel(id);
  }

  call(name: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.connection.request(this.#prefix + name, args, (error, value) => {
        if (error !== null) reject(error);
        else resolve(value);
      });
    });
  }

  callSync(name: string, ...args: unknown[]): unknown {
    return this.connection.requestSync(this.#prefix + name, args);
  }

  notify(name: string, ...args: unknown[]): void {
    this.connection.notify(this.#prefix + name, args);
  }

  open(name: string, args: readonly unknown[], handler: StreamHandler): ByteStream {
    return this.connection.open(this.#prefix + name, args, handler);
  }

  hold(): void {
    this.connection.hold();
  }

  release(): void {
    this.connection.release();
  }

  onClosed(listener: (error: Error) => void): () => void {
    return this.connection.onClosed(listener);
  }
}

/** The same object with the types that one patch gives it. */
export function typedTarget<T>(target: PatchTarget): T {
  return target as unknown as T;
}
