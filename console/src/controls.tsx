import type { JSX } from 'preact';
import { CameraIcon, CameraOffIcon, LeaveIcon, MicrophoneIcon, MutedIcon } from './icons.tsx';
import type { RoomSession, SessionView } from './room-session.ts';

/** What one can do while in the room. */
export function Controls({ session, view }: { session: RoomSession; view: SessionView }): JSX.Element {
  const speaks = view.microphone === 'on';
  const shows = view.camera === 'on';
  return (
    <div class="controls" role="toolbar" aria-label="Your microphone and camera">
      <button type="button" class={speaks ? 'tool' : 'tool off'} disabled={view.microphone === 'missing'} onClick={() => session.toggleMicrophone()}>
        {speaks ? <MicrophoneIcon /> : <MutedIcon />}
        <span>{view.microphone === 'missing' ? 'No microphone' : speaks ? 'Mute' : 'Unmute'}</span>
      </button>
      <button type="button" class={shows ? 'tool' : 'tool off'} onClick={() => void session.toggleCamera()}>
        {shows ? <CameraIcon /> : <CameraOffIcon />}
        <span>{shows ? 'Stop camera' : 'Start camera'}</span>
      </button>
      <button type="button" class="tool leave" onClick={() => session.leave()}>
        <LeaveIcon />
        <span>Leave</span>
      </button>
    </div>
  );
}
