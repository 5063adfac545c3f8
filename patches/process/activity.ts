/** Active handles and requests: without the toolkit's own, with those of the far side (src/base/activity.ts). */
import { farHandles, isHidden } from '../../src/base/activity.ts';
import { likeOriginal } from '../../src/base/shape.ts';
import type { ProcessContext } from './api.ts';

interface Inside {
  _getActiveHandles(): object[];
  _getActiveRequests(): object[];
  getActiveResourcesInfo(): string[];
}

export function substituteActivity(context: ProcessContext): void {
  const inside = process as unknown as Inside;
  const { _getActiveHandles, _getActiveRequests, getActiveResourcesInfo } = inside;
  const handles = (): object[] => _getActiveHandles.call(process);
  const requests = (): object[] => _getActiveRequests.call(process);
  const visible = (item: object): boolean => !isHidden(item);

  context.replace(
    inside,
    '_getActiveHandles',
    likeOriginal(_getActiveHandles, () => [
      ...handles().filter(visible),
      ...farHandles().flatMap((handle) => handle.owner() ?? []),
    ]),
  );
  context.replace(
    inside,
    '_getActiveRequests',
    likeOriginal(_getActiveRequests, () => requests().filter(visible)),
  );
  context.replace(
    inside,
    'getActiveResourcesInfo',
    likeOriginal(getActiveResourcesInfo, () => {
      // In the order of the two lists (src/node_process_methods.cc), then timers.
      const names = getActiveResourcesInfo.call(process);
      const [asked, open] = [requests(), handles()];
      const rest = names.slice(asked.length + open.length);
      return [
        ...names.slice(0, asked.length).filter((_name, at) => visible(asked[at] as object)),
        ...names.slice(asked.length, -rest.length || undefined).filter((_name, at) => {
          return visible(open[at] as object);
        }),
        ...farHandles().map(({ name }) => name),
        ...rest,
      ];
    }),
  );
}
