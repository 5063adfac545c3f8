/** The near side's open slots of one server: each becomes the next connection, and another one takes its place. */
import type { ByteStream, StreamHandler, Target } from '../../../src/patch.ts';
import type { Link } from '../link.ts';
import type { Accepted, ServerCalls, ServerStreams } from './api.ts';

export type ServerTarget = Target<ServerCalls, ServerStreams>;

/** A quiet server needs few; one whose connections had to wait gets as many more. */
const FEW = 4;
const MANY = 256;

export class Slots {
  readonly #target: ServerTarget;
  readonly #id: number;
  readonly #accept: (accepted: Accepted) => Link;
  readonly #free = new Set<ByteStream>();
  #wanted = FEW;
  #closed = false;

  constructor(target: ServerTarget, id: number, accept: (accepted: Accepted) => Link) {
    this.#target = target;
    this.#id = id;
    this.#accept = accept;
    this.#fill();
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#free) stream.end();
    this.#free.clear();
  }

  #fill(): void {
    while (!this.#closed && this.#target.alive && this.#free.size < this.#wanted) this.#open();
  }

  #open(): void {
    let link: Link | undefined;
    const handler: StreamHandler = {
      data: (bytes) => link?.data(bytes),
      signal: (value) => {
        if (link !== undefined) return link.signal(value);
        link = this.#taken(stream, value as Accepted);
      },
      end: () => link?.end(),
      closed: (error) => {
        this.#free.delete(stream);
        link?.closed(error);
      },
    };
    const stream = this.#target.open('slot', [this.#id], handler);
    this.#free.add(stream);
  }

  /** Undefined when the server was closed while the connection was on its way. */
  #taken(stream: ByteStream, accepted: Accepted): Link | undefined {
    this.#free.delete(stream);
    if (this.#closed) return undefined;
    this.#wanted = Math.min(MANY, this.#wanted + accepted.waiting);
    this.#fill();
    const link = this.#accept(accepted);
    link.adopt(stream, accepted);
    return link;
  }
}
