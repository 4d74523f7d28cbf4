// A webhook application: callers enter a PIN and come into the meeting it belongs to. Three wrong ones, and it says goodbye.
import http from 'node:http';
import twilio from 'twilio';

const port = Number(process.env.PORT ?? 3000);
const { AUTH_TOKEN } = process.env;
/** PIN → room. */
const meetings = JSON.parse(process.env.MEETINGS ?? '{"1234":"DailyStandup","5678":"Design review"}');
const TRIES = 3;

const pages = {
  '/voice': () => ask({ wrong: 0 }),
  '/pin': ({ Digits, From, CallSid }, query) => {
    const room = Object.hasOwn(meetings, Digits ?? '') ? meetings[Digits] : null;
    // Of two participants with one identity the first is put out: callers share numbers, and some keep theirs to themselves.
    if (room !== null) return enter(room, `${From} ${CallSid.slice(-4)}`);
    const wrong = Number(query.get('wrong') ?? 0) + 1;
    return wrong < TRIES ? ask({ wrong }) : goodbye('Wrong again. Goodbye.');
  },
  '/left': ({ RoomDisconnectReason }) => goodbye(RoomDisconnectReason === 'room-completed' ? 'The meeting is over. Goodbye.' : 'Goodbye.'),
};

/** How often it was wrong goes along in the address: the application keeps nothing. */
function ask({ wrong }) {
  const twiml = new twilio.twiml.VoiceResponse();
  const gather = twiml.gather({ action: `/pin?wrong=${wrong}`, timeout: 10, finishOnKey: '#', actionOnEmptyResult: true });
  gather.say(wrong === 0 ? 'Welcome. Please enter your PIN, and then the hash key.' : 'That is no PIN of a meeting. Please try again.');
  return twiml;
}

/** A caller who is early waits with music for the room. */
function enter(room, participantIdentity) {
  const twiml = new twilio.twiml.VoiceResponse();
  twiml.say('Star six mutes you.');
  const extensions = { 'xmlns:pl': 'https://partyline.dev/twiml', 'pl:waitForRoom': 'true', 'pl:muteKeys': '*6', 'pl:joinTone': 'true' };
  twiml.connect({ action: '/left' }).room({ participantIdentity, ...extensions }, room);
  twiml.say('The meeting has not begun. Goodbye.');
  return twiml;
}

function goodbye(words) {
  const twiml = new twilio.twiml.VoiceResponse();
  twiml.say(words);
  twiml.hangup();
  return twiml;
}

async function answer(request, response) {
  let form = '';
  for await (const chunk of request) form += chunk;
  const url = new URL(request.url, `http://127.0.0.1:${port}`);
  const parameters = Object.fromEntries(new URLSearchParams(form));
  if (AUTH_TOKEN && !twilio.validateRequest(AUTH_TOKEN, String(request.headers['x-twilio-signature']), url.href, parameters)) return response.writeHead(403).end();
  const page = pages[url.pathname];
  if (!page) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'text/xml' }).end(page(parameters, url.searchParams).toString());
}

// A request that breaks off, or makes no sense, ends alone.
const server = http.createServer((request, response) => answer(request, response).catch(() => response.destroy()));
server.listen(port, '127.0.0.1', () => console.log(`voiceUrl: http://127.0.0.1:${port}/voice`));
