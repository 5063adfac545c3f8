/**
 * The environment with which this process was started. What differs from it was set by the program on purpose, and
 * means the program's far children and directories too; the rest describes this machine.
 */
const start: Readonly<NodeJS.ProcessEnv> = { ...process.env };

/** True unless the program has set the variable, or removed it. */
export function isAsStarted(name: string, value: string | undefined): boolean {
  return start[name] === value;
}
