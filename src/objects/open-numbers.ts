/** Numbers given out one after the other, each open until it is closed: which is the lowest that is? Quicker than a set. */
export class OpenNumbers {
  /** Of the numbers from `#first` on. */
  readonly #open: boolean[] = [];
  #first = 0;
  /** Where the lowest is. */
  #at = 0;
  size = 0;
  /** The one that is given out next. */
  next = 0;

  /** The next number. */
  open(): number {
    this.#open[this.next - this.#first] = true;
    this.size++;
    return this.next++;
  }

  /** Closing one twice means nothing. */
  close(number: number): void {
    const place = number - this.#first;
    if (this.#open[place] !== true) return;
    this.#open[place] = false;
    this.size--;
    if (place === this.#at) this.#advance();
  }

  /** The lowest that is open, else the next. */
  get lowest(): number {
    return this.#first + this.#at;
  }

  /** All that are open. */
  all(): number[] {
    const numbers: number[] = [];
    const end = this.next - this.#first;
    for (let at = this.#at; at < end; at++)
      if (this.#open[at] === true) numbers.push(this.#first + at);
    return numbers;
  }

  #advance(): void {
    const end = this.next - this.#first;
    while (this.#at < end && this.#open[this.#at] !== true) this.#at++;
    if (this.#at === end) {
      this.#first = this.next;
      this.#at = 0;
    } else if (this.#at >= COMPACT && this.#at > end / 2) {
      this.#open.splice(0, this.#at);
      this.#first += this.#at;
      this.#at = 0;
    }
  }
}

const COMPACT = 1024;
