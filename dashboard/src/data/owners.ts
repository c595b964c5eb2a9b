/* Which process works on a task, in words. */
import type { StreamHealth, StreamTask } from './api';
import { count, duration } from './format';

/** Whether several processes share the tasks: then each says who has it. */
export function isShared(health: StreamHealth): boolean {
  return health.partitions.some((task) => task.owned !== undefined);
}

/** undefined: it runs, and there is nothing to say beside the name. */
export function ownerNote(task: StreamTask, atMs: number): string | undefined {
  if (task.owned === false)
    return task.not_owned_since_ms === undefined
      ? 'nobody works on it'
      : `nobody works on it since ${duration(Math.max(0, atMs - task.not_owned_since_ms))}`;
  if (task.state === 'restoring') return `restoring, ${count(task.restore_left_records ?? 0)} changes left`;
  return task.state === 'running' ? undefined : task.state;
}
