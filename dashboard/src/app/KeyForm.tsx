import { useId, useState } from 'react';
import type { ReactNode } from 'react';
import { ApiError } from '../data/api';
import { Button } from '../ui/controls';

/** Takes a read key; the server says whose it is. */
export function KeyForm({ add, cancel }: { add: (readKey: string) => Promise<void>; cancel?: () => void }): ReactNode {
  const [key, setKey] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const id = useId();

  const submit = async (): Promise<void> => {
    if (!key.trim()) return setProblem('Paste the read key here first.');
    setBusy(true);
    try {
      await add(key);
    } catch (e) {
      setProblem(e instanceof ApiError ? e.message : String(e));
      setBusy(false);
    }
  };

  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <div className="field">
        <label htmlFor={id}>Read key</label>
        <input
          id={id}
          className="input mono"
          autoComplete="off"
          spellCheck={false}
          autoFocus
          value={key}
          aria-invalid={problem !== ''}
          aria-describedby={`${id}h ${id}e`}
          onChange={(e) => {
            setKey(e.target.value);
            setProblem('');
          }}
        />
        <small id={`${id}h`} className="dim">
          <code>weir tenant create NAME</code> prints one. It stays in this browser.
        </small>
        <p id={`${id}e`} role="alert" className="problem">
          {problem}
        </p>
      </div>
      <div className="modal-actions">
        {cancel && <Button onClick={cancel}>Cancel</Button>}
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? 'Checking…' : cancel ? 'Add' : 'Open the dashboard'}
        </Button>
      </div>
    </form>
  );
}
