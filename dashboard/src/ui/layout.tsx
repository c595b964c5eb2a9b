import { useEffect, useId, useRef } from 'react';
import type { ReactNode } from 'react';
import { Button, CopyButton } from './controls';

export function Card({
  title,
  hint,
  actions,
  flush,
  className,
  children,
}: {
  title?: string;
  hint?: ReactNode;
  actions?: ReactNode;
  flush?: boolean;
  className?: string;
  children: ReactNode;
}): ReactNode {
  const id = useId();
  return (
    <section className={`card ${className ?? ''}`} aria-labelledby={title ? id : undefined}>
      {title && (
        <header className="card-head">
          <h2 id={id}>{title}</h2>
          {hint && <span className="hint">{hint}</span>}
          <span className="spacer" />
          {actions}
        </header>
      )}
      <div className={flush ? 'card-body flush' : 'card-body'}>{children}</div>
    </section>
  );
}

export function Code({ text, what, wraps }: { text: string; what: string; wraps?: boolean }): ReactNode {
  return (
    <div className={wraps ? 'code wraps' : 'code'}>
      <pre tabIndex={0} role="region" aria-label={what}>
        <code>{text}</code>
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}

/** A modal dialog: the browser keeps the focus inside, closes it on Escape and gives the focus back. */
function Dialog({
  className,
  label,
  onClose,
  children,
}: {
  className: string;
  label: string;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={className}
      aria-label={label}
      onClose={onClose}
      onClick={(e) => {
        if (e.target === dialog.current && className === 'drawer') dialog.current.close();
      }}
    >
      {children}
    </dialog>
  );
}

export function Drawer({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  return (
    <Dialog className="drawer" label={title} onClose={onClose}>
      <header className="drawer-head">
        <h2 className="cut">{title}</h2>
        <Button kind="quiet" icon="close" aria-label="Close" onClick={onClose} />
      </header>
      <div className="drawer-body">{children}</div>
    </Dialog>
  );
}

export function Modal({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}): ReactNode {
  return (
    <Dialog className="modal" label={title} onClose={onClose}>
      <div className="modal-body">
        <h2>{title}</h2>
        {children}
      </div>
    </Dialog>
  );
}

export function PageHead({ title, children, lead }: { title: string; children?: ReactNode; lead?: string }): ReactNode {
  return (
    <header className="page-head">
      <h1 tabIndex={-1} id="title">
        {title}
      </h1>
      <span className="spacer" />
      {children}
      {lead && <p>{lead}</p>}
    </header>
  );
}
