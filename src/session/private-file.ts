/** Files with secrets: only their owner may read them. */
import { ElsewhereError } from '../base/errors.ts';
import { originals } from '../base/originals.ts';

/** Throws ERR_ELSEWHERE_DENIED where others could read it. */
export function readPrivateFile(file: string): string {
  const { fs } = originals;
  const stat = fs.statSync(file);
  const foreign = process.getuid !== undefined && stat.uid !== process.getuid();
  if (process.platform !== 'win32' && ((stat.mode & 0o077) !== 0 || foreign)) {
    throw new ElsewhereError(
      'ERR_ELSEWHERE_DENIED',
      `${file} can be read by others: make it yours alone (chmod 600 ${file})`,
    );
  }
  return fs.readFileSync(file, 'utf8');
}
