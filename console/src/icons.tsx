import type { JSX } from 'preact';

/** Line drawings on a 24 × 24 field; decoration only, the words beside them say it. */
function icon(...paths: string[]): () => JSX.Element {
  return () => (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {paths.map((d) => (
        <path key={d} d={d} />
      ))}
    </svg>
  );
}

const MICROPHONE = 'M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3Z';
const STAND = 'M5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21';
const CAMERA = 'M4.5 6.5h8a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM14.5 11l6-3.5v9l-6-3.5';
const SLASH = 'M4 3.5l16 17';

export const MicrophoneIcon = icon(MICROPHONE, STAND);
export const MutedIcon = icon(MICROPHONE, STAND, SLASH);
export const CameraIcon = icon(CAMERA);
export const CameraOffIcon = icon(CAMERA, SLASH);
export const PhoneIcon = icon('M6.6 3.5 9 8.3 7 10.2c1.2 2.7 3.9 5.4 6.8 6.8l1.9-2 4.8 2.4-.6 2.6a1.8 1.8 0 0 1-1.9 1.4C10 20.7 3.3 14 2.6 6a1.8 1.8 0 0 1 1.4-1.900Z');
export const LeaveIcon = icon('M3 14.500c0-6 18-6 18 0v1.200a1.3 1.3 0 0 1-1.5 1.300l-3-.5a1.3 1.3 0 0 1-1.1-1.300v-1.900a10.5 10.5 0 0 0-6.8 0v1.900a1.3 1.3 0 0 1-1.1 1.300l-3 .5A1.3 1.3 0 0 1 3 15.700Z');
export const BrowserIcon = icon('M4.5 4.500h15a1.5 1.5 0 0 1 1.5 1.500v9.500a1.5 1.5 0 0 1-1.5 1.500h-15A1.5 1.5 0 0 1 3 15.500V6a1.5 1.5 0 0 1 1.5-1.500ZM8.5 20.500h7M12 17v3.5');
export const CopyIcon = icon('M9 8.500h9.500a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V9.500a1 1 0 0 1 1-1Z', 'M16 8.500V5a1 1 0 0 0-1-1H5.500a1 1 0 0 0-1 1v9.500a1 1 0 0 0 1 1H8');
export const DoneIcon = icon('M5 12.500l4.5 4.500L19 7');
