import { useEffect, useState } from 'preact/hooks';
import { fetchInfo, fetchPresence, type DemoInfo, type Presence } from './demo-api.ts';
import { errorInWords } from './words.ts';

const POLL_MS = 1500;

export interface ServerState {
  /** Null: not told yet. */
  info: DemoInfo | null;
  /** Null: not told yet. */
  presence: Presence[] | null;
  /** Why the server tells nothing at the moment. */
  problem: string | null;
}

/** What the server tells of itself and of who is in the room, asked again and again, and at once when `cue` changes. */
export function useServerState(cue: string): ServerState {
  const [state, setState] = useState<ServerState>({ info: null, presence: null, problem: null });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let info: DemoInfo | null = null;
    let ended = false;
    const poll = async (): Promise<void> => {
      try {
        info ??= await fetchInfo();
        const presence = await fetchPresence();
        if (!ended) setState({ info, presence, problem: null });
      } catch (error) {
        if (!ended) setState((before) => ({ ...before, problem: errorInWords(error) }));
      }
      if (!ended) timer = setTimeout(() => void poll(), POLL_MS);
    };
    void poll();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [cue]);
  return state;
}
