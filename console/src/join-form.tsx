import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

const NAME_KEY = 'partyline.name';

interface JoinFormProps {
  room: string;
  joining: boolean;
  problem: string | null;
  onJoin: (identity: string) => void;
}

/** The door: a name and one button. */
export function JoinForm({ room, joining, problem, onJoin }: JoinFormProps): JSX.Element {
  const [name, setName] = useState(() => sessionStorage.getItem(NAME_KEY) ?? '');
  const submit = (event: Event): void => {
    event.preventDefault();
    const identity = name.trim();
    if (identity === '' || joining) return;
    sessionStorage.setItem(NAME_KEY, identity);
    onJoin(identity);
  };
  return (
    <section class="door" aria-labelledby="door-title">
      <h1 id="door-title">{room}</h1>
      <p class="soft">Join with camera and microphone, and with whoever calls in by phone.</p>
      <form onSubmit={submit}>
        <label for="name">Your name</label>
        <div class="field">
          <input id="name" name="name" type="text" required maxLength={60} autoComplete="name" spellcheck={false} placeholder="Anna" value={name} onInput={(event) => setName(event.currentTarget.value)} aria-describedby="door-note" />
          <button type="submit" class="primary" disabled={joining}>{joining ? 'Joining…' : 'Join'}</button>
        </div>
      </form>
      <p class="note soft" id="door-note">Without camera or microphone you join anyway and listen.</p>
      {problem && <p class="problem" role="alert">{problem}</p>}
    </section>
  );
}
