import { useId, useState } from 'react';
import type { ReactNode } from 'react';
import { useFeed, useSession, useSql } from '../app/session';
import { followLink, href, setParams, useUrl } from '../app/url';
import { useNow } from '../app/useNow';
import { ago, count, dateTime } from '../data/format';
import { parseUtc } from '../data/range';
import { Segments } from '../ui/controls';
import { Card, Code, PageHead } from '../ui/layout';
import { SENDERS, snippet, type Sender } from './setup_snippets';

const KEY_PLACEHOLDER = 'YOUR_WRITE_KEY';

export function SetupPage(): ReactNode {
  const { config, tenant } = useSession();
  const { params } = useUrl();
  const [key, setKey] = useState(tenant.isDemo ? (config.demo?.writeKey ?? '') : '');
  const id = useId();
  const wanted = params.get('with');
  const sender = SENDERS.find((s) => s.value === wanted)?.value ?? 'curl';
  return (
    <>
      <PageHead title="Setup" lead="Anything that speaks Segment’s HTTP API works as it is. So does curl." />
      <FirstEvent />
      <Card
        title="Send events"
        actions={
          <div className="field inline">
            <label htmlFor={id}>Write key</label>
            <input
              id={id}
              className="input mono"
              value={key}
              placeholder={KEY_PLACEHOLDER}
              spellCheck={false}
              autoComplete="off"
              onChange={(e) => setKey(e.target.value.trim())}
            />
          </div>
        }
      >
        <div className="senders">
          <Segments<Sender>
            label="Sender"
            hideLabel
            value={sender}
            options={SENDERS}
            onChange={(value) => setParams({ with: value }, 'replace')}
          />
        </div>
        <Code
          text={snippet(sender, config.ingestUrl, location.origin, key || KEY_PLACEHOLDER, tenant.id)}
          what="snippet"
        />
        <p className="dim after">
          The key was printed by <code>weir tenant create</code> and is not stored here. A 200 means that every event in
          it is on disk; a bad one among them gets a verdict of its own and lands in{' '}
          <a href={href('events', { view: 'dead' })} onClick={followLink}>
            dead letters
          </a>
          .
        </p>
      </Card>
      <Card title="Ask for them">
        <Code
          text={`curl -s ${location.origin}/v1/sql -H 'Authorization: Bearer ${tenant.isDemo ? tenant.readKey : 'YOUR_READ_KEY'}' \\
  -d '{"sql": "SELECT event_type, count() AS events FROM events_raw GROUP BY event_type"}'`}
          what="question"
        />
      </Card>
    </>
  );
}

/** Turns green with the first event, and says when the last one came. */
function FirstEvent(): ReactNode {
  const { state, events } = useFeed();
  const stored = useSql('SELECT count() AS events, max(received_at) AS latest\nFROM events_raw', { everyMs: 1000 });
  const now = useNow(1000);
  const row = stored.answer?.rows[0];
  const total = Number(row?.[0] ?? 0);
  const lastMs = Math.max(events[0]?.received_ms ?? 0, total > 0 ? parseUtc(row?.[1]) : 0);
  const has = total > 0 || (state?.accepted ?? 0) > 0;
  const isKnown = stored.answer !== undefined || has;
  return (
    <div className={`card first-event ${has ? 'good' : ''}`} data-testid="first-event" data-has-events={has}>
      <span className={`dot beats ${has ? 'good' : 'warn'}`} />
      <div>
        <strong role="status">
          {!isKnown ? 'Looking for events…' : has ? 'Events are arriving' : 'Waiting for your first event…'}
        </strong>
        <p className="dim number">
          {has && lastMs > 0 ? (
            <>
              {count(total)} stored, the last one <span title={`${dateTime(lastMs)} UTC`}>{ago(now - lastMs)}</span>.{' '}
              <a href={href('live')} onClick={followLink}>
                See them live
              </a>
            </>
          ) : (
            'Send one with any of the snippets below. This turns green the moment it is accepted.'
          )}
        </p>
      </div>
    </div>
  );
}
