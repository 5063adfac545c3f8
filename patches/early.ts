/**
 * What a program may take out of Node before its first scope and keep: the functions that are substituted where programs
 * find them. All other substitutions are below these, where Node looks anew at each call. Small, and loads nothing of Node
 * that a program may never need: it runs at the start of every program that preloads elsewhere.
 */
import { forward } from '../src/base/forwards.ts';
import { nodeBinding } from '../src/base/node-binding.ts';

const FILES =
  'cp cpSync glob globSync mkdtempDisposableSync openAsBlob openAsBlobSync opendir opendirSync readdir readdirSync realpath realpathSync rm rmSync unwatchFile watchFile writeFile writeFileSync';
const PROMISED_FILES = 'appendFile cp glob mkdtempDisposable opendir readdir rm watch writeFile';
const SYSTEM =
  'arch availableParallelism cpus endianness freemem getPriority homedir hostname loadavg machine networkInterfaces platform release setPriority tmpdir totalmem type uptime userInfo version';
const PROCESS =
  'chdir cwd execve getActiveResourcesInfo getegid geteuid getgid getgroups getuid hrtime initgroups kill loadEnvFile setegid seteuid setgid setgroups setuid umask uptime _getActiveHandles _getActiveRequests';

export function forwardEarly(): void {
  const load = process.getBuiltinModule;
  const fs = load('node:fs');
  forwardAll(fs, FILES);
  forwardAll(fs.promises, PROMISED_FILES);
  forwardAll(load('node:os'), SYSTEM);
  forwardAll(process, PROCESS);
  forward(globalThis, 'fetch');
  // dns/promises keeps these two when it is loaded.
  forwardAll(nodeBinding('cares_wrap') ?? {}, 'getaddrinfo getnameinfo');
  forwardWrites('stdout');
  forwardWrites('stderr');
  load('node:module').syncBuiltinESMExports();
}

function forwardAll(object: object, names: string): void {
  for (const name of names.split(' ')) forward(object, name);
}

/** Once the stream is there: it opens when somebody looks at it. */
function forwardWrites(name: 'stdout' | 'stderr'): void {
  const before = Object.getOwnPropertyDescriptor(process, name);
  if (before?.get === undefined) return;
  const { get } = before;
  const first = (): unknown => {
    const stream: object = get.call(process);
    if (Object.getOwnPropertyDescriptor(process, name)?.get === first) {
      Object.defineProperty(process, name, before);
      forward(stream, 'write');
    }
    return stream;
  };
  Object.defineProperty(process, name, { ...before, get: first });
}
