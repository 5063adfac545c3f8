/** Method names of one direction of a lane: the string travels once, from then on its number in the order of first use. */
import { ElsewhereError } from '../base/errors.ts';
import { Op } from '../wire/message.ts';

const MAX_NAMES = 4096;
const MAX_NAME_LENGTH = 256;

export class MethodNames {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  /** For the sender: what to put in a frame: the number of a name that has travelled, else the name. */
  short(name: string): string | number {
    return this.#numbers.get(name) ?? name;
  }

  /** For the sender: the name travels now. Not before its frame is known to be sound, or both sides count differently. */
  sent(name: string): void {
    // The peer learns at the same moment and has the same limit, so a full table simply goes on with strings.
    if (!this.#numbers.has(name) && this.#numbers.size < MAX_NAMES)
      this.#numbers.set(name, this.#numbers.size);
  }

  /**
   * For the receiver: puts the name in the place of its number, or learns a new one. In the order of arrival, so before
   * attachments come. Throws ERR_ELSEWHERE_PROTOCOL.
   */
  resolveIn(frame: unknown[]): void {
    const op = frame[0];
    const at = op === Op.CALL || op === Op.OPEN ? 2 : op === Op.NOTIFY ? 1 : -1;
    if (at !== -1) frame[at] = this.#resolve(frame[at]);
  }

  #resolve(method: unknown): string {
    if (typeof method === 'number') {
      const name = this.#names[method];
      if (name !== undefined) return name;
    } else if (typeof method === 'string' && method.length <= MAX_NAME_LENGTH) {
      if (this.#names.length < MAX_NAMES) this.#names.push(method);
      return method;
    }
    throw new ElsewhereError(
      'ERR_ELSEWHERE_PROTOCOL',
      'the peer broke the protocol: it named no method',
    );
  }
}
