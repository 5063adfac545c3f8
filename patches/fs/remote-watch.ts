/** Watchers on the far side. They are closed with the stream that tells what they saw, and with the session. */
import fs from 'node:fs';
import { wireStats } from '../../src/base/wire-stats.ts';
import type { RemoteContext, RemoteHalf, RemoteStream } from '../../src/patch.ts';
import type { FsApi, FsStreams, PollSignal, WatchSignal, WireStats } from './api.ts';
import { systemError } from './errors.ts';
import { type Handlers, pathLike } from './remote-values.ts';

type Streams = NonNullable<RemoteHalf<FsApi, FsStreams>['streams']>;

/** A watcher until its stream is opened: what it saw meanwhile is kept. */
interface Waiting {
  readonly watcher: fs.FSWatcher;
  tell: (signal: WatchSignal) => void;
  readonly seen: WatchSignal[];
}

/** Watchers of one session. */
const MOST = 8192;

export function watchHandlers(context: RemoteContext): Handlers<Pick<FsApi, 'watch'>> & Streams {
  const waiting = new Map<number, Waiting>();
  /** Ends what runs: watchers and timers. */
  const running = new Set<() => void>();
  let lastId = 0;
  context.onEnd(() => {
    for (const { watcher } of waiting.values()) watcher.close();
    for (const stop of running) stop();
  });
  const follow = (stream: RemoteStream, stop: () => void): void => {
    running.add(stop);
    stream.accept({
      data: () => undefined,
      end: () => undefined,
      closed: () => {
        running.delete(stop);
        stop();
      },
    });
  };
  return {
    watch(path, recursive) {
      if (waiting.size + running.size >= MOST)
        throw systemError({ code: 'EMFILE', syscall: 'watch' });
      lastId += 1;
      waiting.set(lastId, startWatching(pathLike(path), recursive));
      return lastId;
    },
    watching(stream, id) {
      const found = waiting.get(id);
      if (found === undefined) return stream.reset('EBADF');
      waiting.delete(id);
      follow(stream, () => found.watcher.close());
      found.tell = (signal) => stream.signal(signal);
      for (const signal of found.seen) stream.signal(signal);
    },
    polling(stream, path, interval) {
      if (waiting.size + running.size >= MOST) return stream.reset('EMFILE');
      follow(
        stream,
        poll(pathLike(path), interval, (signal) => stream.signal(signal)),
      );
    },
  };
}

function startWatching(path: string | Buffer, recursive: boolean): Waiting {
  const watcher = fs.watch(path, { recursive, persistent: false, encoding: 'buffer' });
  const seen: WatchSignal[] = [];
  const waiting: Waiting = { watcher, seen, tell: (signal) => seen.push(signal) };
  watcher.on('change', (event: string, name: unknown) =>
    waiting.tell([event, name instanceof Uint8Array ? name : undefined]),
  );
  watcher.on('error', (error: NodeJS.ErrnoException) => waiting.tell(error.code ?? 'EIO'));
  return waiting;
}

const NO_STATS: WireStats = new BigInt64Array(18);
/** Places of what says that a file has changed: of the stats all but links, device number, blocks and access time. */
const TELLING: readonly number[] = [0, 1, 3, 4, 7, 8, 12, 13, 14, 15, 16, 17];

/**
 * As libuv polls: the first answer is only kept, a failure is told once, and what comes back is told with the stats from
 * before the failure. Not by `fs.watchFile`, which has one interval for all sessions. Returns what stops it.
 */
function poll(
  path: string | Buffer,
  interval: number,
  tell: (signal: PollSignal) => void,
): () => void {
  let known: WireStats | undefined;
  let failure = '';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const failed = (code: string): void => {
    if (code !== failure) tell([code, NO_STATS, known ?? NO_STATS]);
    failure = code;
  };
  const found = (stats: WireStats): void => {
    if (failure !== '' || (known !== undefined && differ(known, stats)))
      tell(['', stats, known ?? NO_STATS]);
    known = stats;
    failure = '';
  };
  const look = (): void =>
    fs.stat(path, { bigint: true }, (error, stats) => {
      if (stopped) return;
      if (error === null) found(wireStats(stats));
      else failed(error.code ?? 'EIO');
      timer = setTimeout(look, interval).unref();
    });
  look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function differ(before: WireStats, now: WireStats): boolean {
  return TELLING.some((index) => before[index] !== now[index]);
}
