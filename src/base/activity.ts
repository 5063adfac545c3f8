/**
 * What Node tells of the active handles and requests of a process. The toolkit's own are not the program's; far sockets
 * and servers, of which Node does not know, are. Here they are remembered; the process patch tells.
 */

export interface FarActivity {
  /** Node's name for its kind: 'TCPSocketWrap', 'PipeServerWrap'… */
  readonly name: string;
  /** What Node would list: a socket or server. */
  owner(): object | undefined;
}

const own = new WeakSet<object>();
const dials = new Set<string>();
const handles = new Map<object, FarActivity>();

/** A socket, handle or request of the toolkit itself, or a request that is over. */
export function hideActivity(...objects: (object | null | undefined)[]): void {
  for (const object of objects) if (object) own.add(object);
}

/** A connection that the toolkit itself is about to make. */
export function hideDial(place: { readonly path: string } | { readonly port: number }): void {
  dials.add('path' in place ? place.path : `:${place.port}`);
}

export function isHidden(item: object): boolean {
  if (own.has(item)) return true;
  // Node puts these on its requests: the handle of a write, the address of a connect.
  const { handle, address, port } = item as { handle?: object; address?: string; port?: number };
  if (typeof handle === 'object' && handle !== null && own.has(handle)) return true;
  return address !== undefined && dials.has(port === undefined ? address : `:${port}`);
}

/** A far handle that keeps the process alive. */
export function handleActive(handle: object, activity: FarActivity): void {
  handles.set(handle, activity);
}

export function handleIdle(handle: object): void {
  handles.delete(handle);
}

export function farHandles(): FarActivity[] {
  return [...handles.values()];
}

/** What Node's own JavaScript has tied to a handle. */
export function ownerOf(handle: object): object | undefined {
  const symbol = Object.getOwnPropertySymbols(handle).find(
    ({ description }) => description === 'owner_symbol',
  );
  return symbol === undefined ? undefined : (Reflect.get(handle, symbol) as object | undefined);
}
