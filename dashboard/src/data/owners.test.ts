import { expect, test } from 'vitest';
import { isShared, ownerNote } from './owners';

const health = (...partitions: { partition: number; owned?: boolean }[]) => ({
  at_ms: 0,
  partitions,
  store: {},
  watermarks: [],
});

test('tasks of one process have no owners to tell', () => {
  expect(isShared(health({ partition: 0 }))).toBe(false);
  expect(isShared(health({ partition: 0, owned: false }))).toBe(true);
});

test('what does not just run is said', () => {
  const task = { partition: 0, owned: true, owner: 'weir-a' };
  expect(ownerNote({ ...task, state: 'running' }, 0)).toBeUndefined();
  expect(ownerNote({ ...task, state: 'stopping' }, 0)).toBe('stopping');
  expect(ownerNote({ ...task, state: 'restoring', restore_left_records: 1234 }, 0)).toBe(
    'restoring, 1,234 changes left',
  );
  expect(ownerNote({ ...task, owned: false, not_owned_since_ms: 1000 }, 13000)).toMatch(/^nobody works on it since 12/);
  expect(ownerNote({ partition: 0, owned: false }, 13000)).toBe('nobody works on it');
});
