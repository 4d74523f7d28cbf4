// A webhook application: whoever calls its number joins the room DailyStandup. Nothing but node:http and the twilio package.
import http from 'node:http';
import twilio from 'twilio';

const port = Number(process.env.PORT ?? 3000);
const { AUTH_TOKEN } = process.env;

const server = http.createServer(async (request, response) => {
  let form = '';
  for await (const chunk of request) form += chunk;
  const url = `http://127.0.0.1:${port}${request.url}`;
  const parameters = Object.fromEntries(new URLSearchParams(form));
  if (AUTH_TOKEN && !twilio.validateRequest(AUTH_TOKEN, String(request.headers['x-twilio-signature']), url, parameters)) {
    return response.writeHead(403).end();
  }
  const twiml = new twilio.twiml.VoiceResponse();
  twiml.connect().room({ participantIdentity: parameters.From }, 'DailyStandup');
  response.writeHead(200, { 'content-type': 'text/xml' }).end(twiml.toString());
});
server.listen(port, '127.0.0.1', () => console.log(`voiceUrl: http://127.0.0.1:${port}/voice`));
