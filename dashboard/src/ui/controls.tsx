import { useEffect, useId, useRef, useState } from 'react';
import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { Icon, type IconName } from './Icon';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'primary' | 'quiet';
  size?: 'small';
  icon?: IconName;
}

export function Button({ kind, size, icon, children, ...rest }: ButtonProps): ReactNode {
  const classes = ['button', kind, size, icon && !children && 'icon'].filter(Boolean).join(' ');
  return (
    <button type="button" {...rest} className={classes}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function CopyButton({ text, what }: { text: string; what: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1600);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <span className="copy">
      <Button
        kind="quiet"
        size="small"
        icon={copied ? 'check' : 'copy'}
        aria-label={`Copy ${what}`}
        title={`Copy ${what}`}
        onClick={() => void copyText(text).then(() => setCopied(true))}
      />
      <span className="hidden-visually" role="status">
        {copied ? 'Copied' : ''}
      </span>
    </span>
  );
}

/* The clipboard's interface is there on https and localhost alone. */
async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
}

interface SelectProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
  hideLabel?: boolean;
}

export function Select<T extends string>({ label, value, options, onChange, hideLabel }: SelectProps<T>): ReactNode {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'hidden-visually' : undefined}>
        {label}
      </label>
      <span className="select-box">
        <select id={id} className="select" value={value} onChange={(e) => onChange(e.target.value as T)}>
          {options.map((o) => (
            <option key={o.value} value={o.value}>
              {o.label}
            </option>
          ))}
        </select>
        <Icon name="chevron" />
      </span>
    </div>
  );
}

interface SegmentsProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string; disabled?: boolean }[];
  onChange: (value: T) => void;
  hideLabel?: boolean;
}

export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
  hideLabel,
}: SegmentsProps<T>): ReactNode {
  const name = useId();
  return (
    <div className="field">
      <span id={`${name}l`} className={hideLabel ? 'hidden-visually' : undefined}>
        {label}
      </span>
      <div className="segments" role="radiogroup" aria-labelledby={`${name}l`}>
        {options.map((o) => (
          <label key={o.value}>
            <input
              type="radio"
              name={name}
              value={o.value}
              checked={o.value === value}
              disabled={o.disabled}
              onChange={() => onChange(o.value)}
            />
            <span>{o.label}</span>
          </label>
        ))}
      </div>
    </div>
  );
}

/** A text field that tells what was typed once the typing rests. */
export function SearchField({
  label,
  value,
  onChange,
  placeholder,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder: string;
}): ReactNode {
  const [text, setText] = useState(value);
  const told = useRef(value);
  if (told.current !== value && text === told.current) {
    told.current = value;
    setText(value);
  }
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => {
      told.current = text;
      onChange(text);
    }, 250);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <div className="search-field">
      <Icon name="search" />
      <input
        type="search"
        className="input"
        aria-label={label}
        placeholder={placeholder}
        value={text}
        spellCheck={false}
        onChange={(e) => setText(e.target.value)}
      />
    </div>
  );
}
