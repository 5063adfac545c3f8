/**
 * The socket handles under node:net, for connecting and blocking inside one tick. `process.binding` is how they are
 * reached on Node 20 to 26 (it warns only with --pending-deprecation, and is refused under --permission).
 */
import { hideActivity } from './activity.ts';
import { nodeBinding } from './node-binding.ts';

/** A libuv stream handle, as far as it is used here. */
export interface NativeHandle {
  readonly fd: number;
  connect(request: object, address: string, port?: number): number;
  connect6(request: object, address: string, port: number): number;
  setBlocking(blocking: boolean): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  unref(): void;
  close(): void;
}

interface TcpWrap {
  readonly TCP: new (type: number) => NativeHandle;
  readonly TCPConnectWrap: new () => { oncomplete?: () => void };
  readonly constants: { readonly SOCKET: number };
}
interface PipeWrap {
  readonly Pipe: new (type: number) => NativeHandle;
  readonly PipeConnectWrap: new () => { oncomplete?: () => void };
  readonly constants: { readonly SOCKET: number };
}

/** Begins to connect; libuv has done the system call when this returns, so the descriptor is there. Negative: an errno. */
export function connectTcp(host: string, port: number): { handle: NativeHandle; status: number } {
  const wrap = nodeBinding<TcpWrap>('tcp_wrap') as TcpWrap;
  const handle = new wrap.TCP(wrap.constants.SOCKET);
  const request = Object.assign(new wrap.TCPConnectWrap(), { oncomplete: () => undefined });
  hideActivity(handle, request);
  const status = host.includes(':')
    ? handle.connect6(request, host, port)
    : handle.connect(request, host, port);
  handle.setNoDelay?.(true);
  handle.setKeepAlive?.(true, 5);
  return { handle, status };
}

export function connectPipe(path: string): { handle: NativeHandle; status: number } {
  const wrap = nodeBinding<PipeWrap>('pipe_wrap') as PipeWrap;
  const handle = new wrap.Pipe(wrap.constants.SOCKET);
  const request = Object.assign(new wrap.PipeConnectWrap(), { oncomplete: () => undefined });
  hideActivity(handle, request);
  // Returns nothing on Node 20 and 22: a failure shows at the first write there.
  return { handle, status: handle.connect(request, path) ?? 0 };
}

/** Whether this process can block on sockets of its own. */
export function canBlock(): boolean {
  return process.platform !== 'win32' && nodeBinding('tcp_wrap') !== undefined;
}
