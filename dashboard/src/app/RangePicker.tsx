import { useState } from 'react';
import type { ReactNode } from 'react';
import { formatRange, parseRange, PRESETS, rangeLabel, type Range, type RangeKey } from '../data/range';
import { Button, Select } from '../ui/controls';
import { Modal } from '../ui/layout';
import { setParams, useUrl } from './url';

/** The range of the page that is shown; it stands in the address. */
export function useRange(otherwise: RangeKey = '24h'): Range {
  return parseRange(useUrl().params.get('range'), otherwise);
}

export function RangePicker({ range }: { range: Range }): ReactNode {
  const [choosing, setChoosing] = useState(false);
  const options = (Object.keys(PRESETS) as RangeKey[]).map((key) => ({
    value: key as string,
    label: PRESETS[key].label,
  }));
  if (range.key === 'custom') options.push({ value: formatRange(range), label: rangeLabel(range) });
  options.push({ value: 'choose', label: 'Choose days…' });
  return (
    <>
      <Select
        label="Time range (UTC)"
        hideLabel
        value={formatRange(range)}
        options={options}
        onChange={(value) => {
          if (value === 'choose') setChoosing(true);
          else setParams({ range: value });
        }}
      />
      {choosing && <ChooseDays range={range} onClose={() => setChoosing(false)} />}
    </>
  );
}

function today(minusDays = 0): string {
  return new Date(Date.now() - minusDays * 86_400_000).toISOString().slice(0, 10);
}

function ChooseDays({ range, onClose }: { range: Range; onClose: () => void }): ReactNode {
  const [from, setFrom] = useState(range.key === 'custom' ? range.from : today(6));
  const [to, setTo] = useState(range.key === 'custom' ? range.to : today());
  const isGood = parseRange(`${from}..${to}`, 'today').key === 'custom';
  return (
    <Modal title="Choose days" onClose={onClose}>
      <form
        className="days"
        onSubmit={(e) => {
          e.preventDefault();
          if (!isGood) return;
          setParams({ range: `${from}..${to}` });
          onClose();
        }}
      >
        <label className="field">
          <span>First day (UTC)</span>
          <input type="date" className="input" value={from} onChange={(e) => setFrom(e.target.value)} />
        </label>
        <label className="field">
          <span>Last day</span>
          <input type="date" className="input" value={to} onChange={(e) => setTo(e.target.value)} />
        </label>
        <p role="alert" className="problem">
          {isGood ? '' : 'The last day is not before the first.'}
        </p>
        <div className="modal-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" disabled={!isGood}>
            Show
          </Button>
        </div>
      </form>
    </Modal>
  );
}
