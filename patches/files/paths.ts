/** Where an operation on a path goes. */
import type { LocalContext } from '../../src/patch.ts';
import type { FsApi, FsPath } from './api.ts';
import type { FsTarget } from './descriptors.ts';
import { fromLoader, inCommonJsLoader } from './loader.ts';

/** The far side and the path there. */
export interface PathRoute {
  readonly target: FsTarget;
  readonly path: FsPath;
}

type Dispatch = (...args: never[]) => unknown;

export class PathRouter {
  readonly #context: LocalContext<FsApi>;

  constructor(context: LocalContext<FsApi>) {
    this.#context = context;
  }

  /** True when nothing can be remote here: the cheap question of every dispatcher. */
  get local(): boolean {
    return this.#context.target() === undefined || inCommonJsLoader();
  }

  /** `undefined`: local. Throws EACCES where the scope denies the path. */
  route(path: unknown, operation: string): PathRoute | undefined {
    if (typeof path !== 'string' && !(path instanceof Uint8Array)) return undefined;
    const text = typeof path === 'string' ? path : Buffer.from(path).toString();
    const decision = this.#context.decide(text, operation);
    if (decision === undefined) return undefined;
    const { target } = decision;
    // A mapped path is text; an unmapped one keeps the caller's bytes.
    const there = decision.path === text ? path : decision.path;
    return { target, path: absolute(there, target.scope.cwd) };
  }

  /** The same for operations that the ES module loader may have asked for. */
  routeUnlessLoader(path: unknown, operation: string, dispatch: Dispatch): PathRoute | undefined {
    const route = this.route(path, operation);
    return route !== undefined && fromLoader(dispatch) ? undefined : route;
  }
}

/** Joined, not resolved: what `..` means behind a symbolic link is for the far kernel to say. An empty path stays one. */
function absolute(path: FsPath, cwd: string): FsPath {
  if (path.length === 0) return path;
  if (typeof path === 'string') return path.startsWith('/') ? path : `${cwd}/${path}`;
  return path[0] === 0x2f ? Buffer.from(path) : Buffer.concat([Buffer.from(`${cwd}/`), path]);
}

/** What the far side made of a relative path, as the caller would have got it. */
export function relativeAgain(made: string, given: unknown, cwd: string): string {
  const wasRelative = typeof given === 'string' && !given.startsWith('/');
  return wasRelative && made.startsWith(`${cwd}/`) ? made.slice(cwd.length + 1) : made;
}
