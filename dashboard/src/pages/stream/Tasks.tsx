import type { ReactNode } from 'react';
import type { StreamHealth, StreamTask } from '../../data/api';
import { bytes, count, duration, rate } from '../../data/format';
import { isShared, ownerNote } from '../../data/owners';
import { taskRate } from '../../data/stream_rates';
import { Card } from '../../ui/layout';
import { Note, SkeletonRows } from '../../ui/states';
import type { Health } from './useStreamHealth';

const BEHIND_S = 5;

/** Task by task, as `GET /v1/stream` says. */
export function Tasks({ health: { now, before } }: { health: Health }): ReactNode {
  return (
    <Card title="Tasks" hint="each takes its share of the visitors, of every tenant" flush>
      {now && now.partitions.length === 0 ? (
        <Note compact title="No tasks are known yet">
          Where several processes share them, each says so within a second of its start.
        </Note>
      ) : now ? (
        <div className="table-box" tabIndex={0} role="region" aria-label="Tasks">
          <table className="table" data-testid="stream-tasks">
            <thead>
              <tr>
                <th scope="col">Task</th>
                {[
                  'Events / s',
                  'Events',
                  'Behind',
                  'Watermark behind',
                  'Memory',
                  'Disk',
                  'Windows open',
                  'Commits',
                ].map((name) => (
                  <th key={name} scope="col" className="number">
                    {name}
                  </th>
                ))}
                {isShared(now) && <th scope="col">Process</th>}
              </tr>
            </thead>
            <tbody>
              {now.partitions.map((task) => (
                <Row key={task.partition} task={task} now={now} before={before} />
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div className="inset">
          <SkeletonRows rows={2} />
        </div>
      )}
    </Card>
  );
}

function Row({
  task,
  now,
  before,
}: {
  task: StreamTask;
  now: StreamHealth;
  before: StreamHealth | undefined;
}): ReactNode {
  const perSecond = taskRate(now, before, task.partition);
  const own = now.watermarks.find((w) => Number(w.partition) === task.partition);
  const isBehind = (task.lag_seconds ?? 0) >= BEHIND_S || task.owned === false;
  return (
    <tr>
      <td>
        <span className={`tag ${isBehind ? 'warn' : 'good'}`}>{task.partition}</span>
      </td>
      <td className="number">{perSecond === undefined ? <span className="dim">–</span> : rate(perSecond)}</td>
      <td className="number">{count(task.events)}</td>
      <td className="number">
        {task.owned === false ? (
          <span className="dim">–</span>
        ) : task.lag_records ? (
          `${count(task.lag_records)} · ${duration((task.lag_seconds ?? 0) * 1000)}`
        ) : (
          'nothing'
        )}
      </td>
      <td className="number">{own ? duration(own.delay_seconds * 1000) : <span className="dim">–</span>}</td>
      <td className="number">{bytes(task.state_bytes)}</td>
      <td className="number">{bytes(task.state_disk_bytes)}</td>
      <td className="number">{count(task.state_panes)}</td>
      <td className="number">{count(task.commits)}</td>
      {isShared(now) && <Owner task={task} atMs={now.at_ms} />}
    </tr>
  );
}

function Owner({ task, atMs }: { task: StreamTask; atMs: number }): ReactNode {
  const note = ownerNote(task, atMs);
  return (
    <td>
      {task.owner} {note && <span className="tag warn">{note}</span>}
    </td>
  );
}
