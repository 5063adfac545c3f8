/** What is to be done before another program takes this process's place, of which no event tells. */
export const lastWords: Set<() => void> = new Set();
