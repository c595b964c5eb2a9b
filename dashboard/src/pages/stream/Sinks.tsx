import type { ReactNode } from 'react';
import { count, duration, rate } from '../../data/format';
import { sinkRate, sinksOf, type Sink } from '../../data/sinks';
import { Card } from '../../ui/layout';
import type { Health } from './useStreamHealth';

/** Where results of this tenant go besides the tables; nothing where no sink is configured. */
export function Sinks({ health: { now, before } }: { health: Health }): ReactNode {
  const sinks = sinksOf(now);
  if (sinks.length === 0) return null;
  return (
    <Card title="Sinks" hint="results that other systems get" flush>
      <div className="table-box" tabIndex={0} role="region" aria-label="Sinks">
        <table className="table" data-testid="stream-sinks">
          <thead>
            <tr>
              <th scope="col">Sink</th>
              <th scope="col">Target</th>
              {['Results / s', 'Delivered', 'Behind', 'Passed over', 'Refused'].map((name) => (
                <th key={name} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sinks.map((sink) => (
              <Row key={sink.name} sink={sink} perSecond={now && sinkRate(now, before, sink.name)} />
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Row({ sink, perSecond }: { sink: Sink; perSecond: number | undefined }): ReactNode {
  return (
    <tr>
      <td>
        <strong>{sink.name}</strong>
      </td>
      <td>
        <span className={`tag ${sink.isUp ? 'good' : 'warn'}`}>{sink.isUp ? 'up' : 'away, waited for'}</span>
      </td>
      <td className="number">{perSecond === undefined ? <span className="dim">–</span> : rate(perSecond)}</td>
      <td className="number">{count(sink.records)}</td>
      <td className="number">{sink.lagSeconds ? duration(sink.lagSeconds * 1000) : 'nothing'}</td>
      <td className="number">{count(sink.skipped)}</td>
      <td className="number">{count(sink.refused)}</td>
    </tr>
  );
}
