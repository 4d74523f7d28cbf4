import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { MutedIcon, PhoneIcon } from './icons.tsx';
import { watchLoudness } from './loudness.ts';
import type { Guest, Playable } from './room-session.ts';
import { duration, initials, readable } from './words.ts';

interface TileProps {
  guest: Guest;
  medium: 'browser' | 'phone';
  /** Null: not told yet. */
  seconds: number | null;
}

/** One participant: its picture, or a mark that says what it is, and a ring that grows with its voice. */
export function Tile({ guest, medium, seconds }: TileProps): JSX.Element {
  const ring = useLoudnessRing(guest.audio);
  const isPhone = medium === 'phone';
  const name = isPhone ? readable(guest.identity) : guest.identity;
  const classes = ['tile', medium, guest.video ? 'with-picture' : '', guest.isMe ? 'me' : ''].filter(Boolean).join(' ');
  return (
    <li class={classes} ref={ring} data-identity={guest.identity} data-medium={medium}>
      {guest.video ? <Picture track={guest.video} mirrored={guest.isMe} name={name} /> : <span class="mark" aria-hidden="true">{isPhone ? <PhoneIcon /> : initials(guest.identity)}</span>}
      {guest.audio && !guest.isMe && <Sound track={guest.audio} />}
      <div class="caption">
        <span class="name" title={guest.identity}>{name}{guest.isMe && <span class="soft"> (you)</span>}</span>
        <span class="soft about">{about(guest, isPhone, seconds)}</span>
        {guest.muted && <span class="muted"><MutedIcon /><span class="unseen">muted</span></span>}
      </div>
    </li>
  );
}

function about({ reconnecting }: Guest, isPhone: boolean, seconds: number | null): string {
  if (reconnecting) return 'reconnecting…';
  const time = seconds === null ? '' : duration(seconds);
  return isPhone ? ['by phone', time].filter(Boolean).join(' · ') : time;
}

function Picture({ track, mirrored, name }: { track: Playable; mirrored: boolean; name: string }): JSX.Element {
  const element = useAttached<HTMLVideoElement>(track);
  return <video ref={element} class={mirrored ? 'mirrored' : ''} autoPlay playsInline muted aria-label={`Picture of ${name}`} />;
}

function Sound({ track }: { track: Playable }): JSX.Element {
  const element = useAttached<HTMLAudioElement>(track);
  return <audio ref={element} autoPlay />;
}

function useAttached<T extends HTMLMediaElement>(track: Playable): { current: T | null } {
  const element = useRef<T>(null);
  useEffect(() => {
    const media = element.current;
    if (!media) return undefined;
    track.attach(media);
    return () => void track.detach(media);
  }, [track]);
  return element;
}

/** Writes the loudness into the tile's `--level`, past the renderer: sixty times a second is no matter for a tree of elements. */
function useLoudnessRing(track: Playable | null): { current: HTMLLIElement | null } {
  const tile = useRef<HTMLLIElement>(null);
  const media = track?.mediaStreamTrack ?? null;
  useEffect(() => {
    if (!media) return undefined;
    return watchLoudness(media, (level) => tile.current?.style.setProperty('--level', level.toFixed(2)));
  }, [media]);
  return tile;
}
