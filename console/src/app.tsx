import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Controls } from './controls.tsx';
import type { Presence } from './demo-api.ts';
import { JoinForm } from './join-form.tsx';
import type { Connection, Guest, RoomSession, SessionView } from './room-session.ts';
import { useServerState, type ServerState } from './server-state.ts';
import { CallPanel, People } from './side-panel.tsx';
import { Tile } from './tile.tsx';
import { readable } from './words.ts';

const FALLBACK_ROOM = 'DailyStandup';

const STATE_WORDS: Record<Connection, string> = { out: 'Not in the room', joining: 'Joining…', in: 'In the room', reconnecting: 'Reconnecting…' };

export function App({ session }: { session: RoomSession }): JSX.Element {
  const view = useSession(session);
  const server = useServerState(view.guests.map((guest) => guest.sid).join());
  const room = server.info?.room ?? FALLBACK_ROOM;
  const isIn = view.connection === 'in' || view.connection === 'reconnecting';
  const me = view.guests.find((guest) => guest.isMe)?.identity ?? null;
  return (
    <>
      <Header view={view} server={server} />
      <main class={isIn ? 'joined' : 'outside'}>
        <div class="stage">
          {isIn ? <Stage session={session} view={view} room={room} presence={server.presence ?? []} /> : <JoinForm room={room} joining={view.connection === 'joining'} problem={view.problem} onJoin={(identity) => void session.join(identity)} />}
        </div>
        <aside aria-label="Phones and people">
          <CallPanel info={server.info} />
          <People presence={server.presence} me={me} />
        </aside>
      </main>
      <footer class="soft">{server.info ? `Partyline ${server.info.version} · ${server.info.accountSid}` : 'Partyline'}</footer>
    </>
  );
}

function Header({ view, server }: { view: SessionView; server: ServerState }): JSX.Element {
  const troubled = server.problem !== null || view.connection === 'reconnecting';
  return (
    <header>
      <span class="wordmark"><img src="/icon.svg" alt="" width="28" height="28" />Partyline</span>
      <span class={`state ${troubled ? 'troubled' : view.connection}`} role="status">{server.problem ?? STATE_WORDS[view.connection]}</span>
    </header>
  );
}

interface StageProps {
  session: RoomSession;
  view: SessionView;
  room: string;
  presence: Presence[];
}

function Stage({ session, view, room, presence }: StageProps): JSX.Element {
  const told = new Map(presence.map((person) => [person.identity, person]));
  const title = useRef<HTMLHeadingElement>(null);
  // The button that had the focus is gone with the door.
  useEffect(() => title.current?.focus(), []);
  return (
    <>
      <h1 ref={title} tabIndex={-1}>{room}</h1>
      <Arrivals guests={view.guests} />
      {view.notes.length > 0 && <p class="note" role="status">{view.notes.join(' ')}</p>}
      <ul class={`tiles of-${Math.min(view.guests.length, 5)}`}>
        {view.guests.map((guest) => (
          <Tile key={guest.sid} guest={guest} medium={told.get(guest.identity)?.medium ?? presumedMedium(guest)} seconds={told.get(guest.identity)?.connectedSeconds ?? null} />
        ))}
      </ul>
      {view.guests.length === 1 && <p class="soft alone">You are alone so far. Call the number to hear a phone come in.</p>}
      <Controls session={session} view={view} />
    </>
  );
}

/** Comings and goings for those who do not see the tiles. */
function Arrivals({ guests }: { guests: Guest[] }): JSX.Element {
  const [said, setSaid] = useState('');
  const before = useRef<string[]>([]);
  const names = guests.filter((guest) => !guest.isMe).map((guest) => readable(guest.identity));
  useEffect(() => {
    const came = names.filter((name) => !before.current.includes(name)).map((name) => `${name} joined.`);
    const went = before.current.filter((name) => !names.includes(name)).map((name) => `${name} left.`);
    before.current = names;
    if (came.length + went.length > 0) setSaid([...came, ...went].join(' '));
  }, [names.join('\n')]);
  return <p class="unseen" aria-live="polite">{said}</p>;
}

/** Until the server says it: who is called like a number is a phone. */
function presumedMedium({ identity, isMe }: Guest): Presence['medium'] {
  return !isMe && /^\+?\d{3,15}$/.test(identity) ? 'phone' : 'browser';
}

function useSession(session: RoomSession): SessionView {
  const [view, setView] = useState(session.view);
  useEffect(() => session.subscribe(() => setView(session.view)), [session]);
  return view;
}
