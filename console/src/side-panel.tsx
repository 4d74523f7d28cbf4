import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { BrowserIcon, CopyIcon, DoneIcon, PhoneIcon } from './icons.tsx';
import type { DemoInfo, Presence } from './demo-api.ts';
import { callCommand, duration, readable } from './words.ts';

const COPIED_MS = 1600;

/** How to get a phone into the room. */
export function CallPanel({ info }: { info: DemoInfo | null }): JSX.Element {
  return (
    <section class="panel" aria-labelledby="call-title">
      <h2 id="call-title">Call this number</h2>
      {info === null ? (
        <p class="soft">Asking the server…</p>
      ) : (
        <>
          <p class="number" data-number={info.number}><PhoneIcon />{readable(info.number)}</p>
          <Copyable label="With a SIP phone, dial" text={info.sipUri} />
          <Copyable label="Without one, in a terminal" text={callCommand(info.number, info.sipUri)} />
        </>
      )}
    </section>
  );
}

function Copyable({ label, text }: { label: string; text: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  // Pages that are neither localhost nor HTTPS have no clipboard; the text can still be selected.
  const copy = (): void => void navigator.clipboard?.writeText(text).then(() => setCopied(true), () => undefined);
  return (
    <div class="copyable">
      <span class="soft">{label}</span>
      <div class="code">
        <code>{text.split(/(?<= )(?=--)/).map((part) => <span key={part}>{part}</span>)}</code>
        <button type="button" class="quiet" onClick={copy} aria-label={copied ? 'Copied' : `Copy ${text}`} title={copied ? 'Copied' : 'Copy'}>{copied ? <DoneIcon /> : <CopyIcon />}</button>
      </div>
    </div>
  );
}

/** Who is in the room, told also to those who are not. */
export function People({ presence, me }: { presence: Presence[] | null; me: string | null }): JSX.Element {
  const people = presence ?? [];
  return (
    <section class="panel" aria-labelledby="people-title">
      <h2 id="people-title">In the room{people.length > 0 && <span class="count">{people.length}</span>}</h2>
      {people.length === 0 && <p class="soft">{presence === null ? 'Asking the server…' : 'Nobody yet. The first one opens it.'}</p>}
      <ul class="people">
        {people.map(({ identity, medium, connectedSeconds }) => (
          <li key={identity} data-person={identity} class={medium}>
            <span class="dot">{medium === 'phone' ? <PhoneIcon /> : <BrowserIcon />}<span class="unseen">{medium === 'phone' ? 'by phone: ' : 'in a browser: '}</span></span>
            <span class="name" title={identity}>{medium === 'phone' ? readable(identity) : identity}{identity === me && <span class="soft"> (you)</span>}</span>
            <span class="soft time">{duration(connectedSeconds)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
