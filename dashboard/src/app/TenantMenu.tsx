import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { Button } from '../ui/controls';
import { Icon } from '../ui/Icon';
import { Modal } from '../ui/layout';
import { KeyForm } from './KeyForm';
import { useSession } from './session';
import { setParams } from './url';

export function TenantMenu(): ReactNode {
  const { tenants, tenant, addTenant, removeTenant } = useSession();
  const [open, setOpen] = useState(false);
  const [adding, setAdding] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const outside = (e: Event): void => {
      if (!box.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
    };
  }, [open]);

  const onKeyDown = (e: React.KeyboardEvent): void => {
    if (e.key === 'Escape' && open) {
      setOpen(false);
      button.current?.focus();
    }
    if (open && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      e.preventDefault();
      const items = [...(box.current?.querySelectorAll<HTMLElement>('.menu-panel button') ?? [])];
      const at = items.indexOf(document.activeElement as HTMLElement);
      items[(at + (e.key === 'ArrowDown' ? 1 : -1) + items.length) % items.length]?.focus();
    }
  };

  return (
    <div className="menu" ref={box} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        className="button tenant-button"
        aria-expanded={open}
        aria-label={`Tenant: ${tenant.id}. Switch or add`}
        title={tenant.id}
        onClick={() => setOpen(!open)}
      >
        <Icon name="person" />
        <span className="cut">{tenant.id}</span>
      </button>
      {open && (
        <div className="menu-panel">
          <ul aria-label="Tenants">
            {tenants.map((t) => (
              <li key={t.readKey} className="row">
                <button
                  type="button"
                  className="menu-item"
                  aria-pressed={t.id === tenant.id}
                  onClick={() => {
                    setOpen(false);
                    setParams({ t: t.id });
                  }}
                >
                  <span className="cut">{t.id}</span>
                  {t.isDemo && <span className="tag">demo</span>}
                  {t.id === tenant.id && <Icon name="check" />}
                </button>
                {!t.isDemo && (
                  <Button
                    kind="quiet"
                    size="small"
                    icon="trash"
                    aria-label={`Forget the key of ${t.id}`}
                    onClick={() => removeTenant(t.id)}
                  />
                )}
              </li>
            ))}
          </ul>
          <hr />
          <button
            type="button"
            className="menu-item"
            onClick={() => {
              setOpen(false);
              setAdding(true);
            }}
          >
            <Icon name="plus" />
            Add a tenant…
          </button>
        </div>
      )}
      {adding && (
        <Modal title="Add a tenant" onClose={() => setAdding(false)}>
          <KeyForm
            add={async (key) => {
              await addTenant(key);
              setAdding(false);
            }}
            cancel={() => setAdding(false)}
          />
        </Modal>
      )}
    </div>
  );
}
