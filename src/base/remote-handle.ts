/** Handles of the far side are objects of ours where Node's native code expects its own: handed to it they end the process. */

/** On every such handle that is no stream of Node's. Registered, so that two copies of the package see each other's. */
export const REMOTE_HANDLE: unique symbol = Symbol.for('elsewhere.remote-handle');

export function isRemoteHandle(handle: unknown): boolean {
  return typeof handle === 'object' && handle !== null && REMOTE_HANDLE in handle;
}
