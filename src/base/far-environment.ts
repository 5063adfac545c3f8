/**
 * Variables of a far side's environment that must not decide how programs of this machine run: whoever has the agent would
 * have this machine as well.
 */

/** What describes a machine, a terminal or a process rather than an application. A scope may see it, programs here don't. */
const BOUND =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|_|TERM|COLORTERM|TERMINFO|TMPDIR|TMP|TEMP|DISPLAY|XDG_.*|(?:SSH|NVM)_.*)$/;

/**
 * What makes Node, the system's linker, shells and common tools load code, trust certificates, hand out keys or go through
 * a proxy. Of Node's own, all but what applications are configured with.
 */
const ACTING = new RegExp(
  `^(?:${[
    'NODE_(?!ENV$|CONFIG|APP_).*|NODE$|ELECTRON_.*|UV_.*',
    '(?:LD|DYLD|npm|NPM|YARN|COREPACK|OPENSSL|BUNDLE)_.*',
    'GIT_(?:SSH|CONFIG|DIR|E|ASKPASS|PAGER|PROXY|SEQUENCE|TEMPLATE|WORK).*',
    'PERL5.*|PERLLIB|PYTHON.*|RUBY(?:LIB|OPT|PATH)',
    'GCONV_PATH|LOCPATH|GLIBC_TUNABLES|MALLOC_.*|RES_OPTIONS|HOSTALIASES|LOCALDOMAIN',
    'BASH_.*|BASHOPTS|SHELLOPTS|ENV|PS4|IFS|CDPATH|PROMPT_COMMAND',
    '(?:(?:HTTPS?|FTP|ALL|NO)_PROXY|(?:https?|ftp|all|no)_proxy)',
    'SSL_CERT_(?:FILE|DIR)|SSLKEYLOGFILE|CURL_.*|REQUESTS_CA_BUNDLE',
    '(?:_|JDK_)?JAVA_.*OPTIONS|CLASSPATH|EDITOR|VISUAL|PAGER|MANPAGER|BROWSER|LESS.*',
  ].join('|')})$`,
);

export function describesMachine(name: string): boolean {
  return BOUND.test(name);
}

/** Never taken from a far side. */
export function actsOnPrograms(name: string): boolean {
  return ACTING.test(name);
}

const own = process.env;
const taken = new WeakMap<object, Readonly<Record<string, string>>>();

/** What the scope's environment began with, of the far side's. */
export function noteFarEnvironment(scope: object, values: Readonly<Record<string, string>>): void {
  taken.set(scope, values);
}

/** `NAME=value` pairs for a program that runs here: what describes the far machine in them is this one's. */
export function pairsForHere(scope: object | undefined, pairs: readonly string[]): string[] {
  const far = scope === undefined ? undefined : taken.get(scope);
  if (far === undefined) return [...pairs];
  return pairs.flatMap((pair) => {
    const name = pair.slice(0, pair.indexOf('=', 1));
    if (!BOUND.test(name) || pair !== `${name}=${far[name]}`) return pair;
    return own[name] === undefined ? [] : `${name}=${own[name]}`;
  });
}
