/** Writes down what happens to a socket, in a form in which a local and a remote run can be compared. */
import type net from 'node:net';

/** What depends on how bytes were cut into packets or on the reader's own timing. */
const UNTOLD = new Set([
  'resume',
  'pause',
  'readable',
  'newListener',
  'removeListener',
  'drain',
  'prefinish',
]);

export class Recorder {
  readonly lines: string[] = [];
  readonly #names = new Map<string, string>();
  #data = '';

  /** `text` will be written as `name`: ports and paths differ from run to run. */
  rename(text: string | number, name: string): void {
    this.#names.set(String(text), name);
  }

  note(text: string): void {
    this.#flush();
    this.lines.push(this.#renamed(text));
  }

  watch(socket: net.Socket): void {
    const { emit } = socket;
    socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (event === 'data') this.#data += String(args[0]);
      else if (!UNTOLD.has(String(event)))
        this.note(`${String(event)}(${args.map(summary).join(', ')}) ${state(socket)}`);
      return Reflect.apply(emit, socket, [event, ...args]) as boolean;
    };
  }

  #flush(): void {
    if (this.#data === '') return;
    const data = this.#data.length > 60 ? `${this.#data.length} bytes` : JSON.stringify(this.#data);
    this.#data = '';
    this.lines.push(`data ${data}`);
  }

  #renamed(text: string): string {
    let result = text;
    for (const [from, to] of this.#names) result = result.replaceAll(from, to);
    return result;
  }
}

function state(socket: net.Socket): string {
  const { readyState, pending, connecting, destroyed, bytesRead, bytesWritten } = socket;
  const flags = [pending && 'pending', connecting && 'connecting', destroyed && 'destroyed'].filter(
    Boolean,
  );
  return [readyState, ...flags, `${bytesRead}/${bytesWritten}`].join(' ');
}

export function summary(value: unknown): string {
  if (value instanceof Error) return errorSummary(value);
  return typeof value === 'object' && value !== null
    ? value.constructor.name
    : (JSON.stringify(value) ?? 'undefined');
}

function errorSummary(error: Error): string {
  const own = Object.entries(error).map(([key, value]) =>
    key === 'cause' ? key : `${key}=${summary(value)}`,
  );
  const inner = error instanceof AggregateError ? ` [${error.errors.map(summary).join('; ')}]` : '';
  return `${error.name}: ${error.message} {${own.join(' ')}}${inner}`;
}
