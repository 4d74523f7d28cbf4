// The official client, pointed at Partyline by its base URLs: the rest is the code you have.
import twilio from 'twilio';

const { ACCOUNT_SID, AUTH_TOKEN, API_KEY_SID, API_KEY_SECRET, PARTYLINE = 'http://127.0.0.1:8080', VOICE_URL = 'http://127.0.0.1:3000/voice', NUMBER = '+15550123' } = process.env;

const client = twilio(ACCOUNT_SID, AUTH_TOKEN);
client.api.baseUrl = client.video.baseUrl = PARTYLINE;

// A room that is there before the first caller. Its name is free again once it is completed.
const room = await client.video.v1.rooms.create({ uniqueName: 'DailyStandup', type: 'group' }).catch((error) => {
  if (error.code !== 53113) throw error; // there already
  return client.video.v1.rooms('DailyStandup').fetch();
});
const [known] = await client.incomingPhoneNumbers.list({ phoneNumber: NUMBER, limit: 1 });
if (known) await client.incomingPhoneNumbers(known.sid).update({ voiceUrl: VOICE_URL });
else await client.incomingPhoneNumbers.create({ phoneNumber: NUMBER, voiceUrl: VOICE_URL });
console.log(`${NUMBER} asks ${VOICE_URL}; room ${room.uniqueName} is ${room.sid}`);

const { AccessToken } = twilio.jwt;
const token = new AccessToken(ACCOUNT_SID, API_KEY_SID, API_KEY_SECRET, { identity: 'alice', ttl: 3600 });
token.addGrant(new AccessToken.VideoGrant({ room: 'DailyStandup' }));
console.log(`\nIn the page:\n  Twilio.Video.connect('${token.toJwt()}', { name: 'DailyStandup', wsServer: '${PARTYLINE.replace(/^http/, 'ws')}/signaling' })`);
