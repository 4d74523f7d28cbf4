import { render } from 'preact';
import { App } from './app.tsx';
import { RoomSession } from './room-session.ts';
import './page.css';

const session = new RoomSession();
addEventListener('pagehide', () => session.leave());
render(<App session={session} />, document.getElementById('page')!);
