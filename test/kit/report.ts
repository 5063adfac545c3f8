/** What a test file tells the runner: one JSON line for each event, on a descriptor that no test writes to. */
export type ReportLine =
  | { readonly event: 'declare' | 'only' | 'begin' | 'pass'; readonly test: string }
  | { readonly event: 'fail'; readonly test: string; readonly error: string }
  | { readonly event: 'skip'; readonly test: string; readonly reason: string }
  | { readonly event: 'file-limit'; readonly ms: number };

/** Set by the runner to the number of that descriptor; unset, the file was started by hand. */
export const REPORT_VARIABLE = 'ELSEWHERE_TEST_REPORT';

export function parseReport(text: string): ReportLine[] {
  const complete = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = complete.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as ReportLine);
}
