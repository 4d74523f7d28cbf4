import type { Cast } from './cast.ts';
import { startServer, type Server, type ServerOptions } from './server.ts';
import { WebhookApp } from './webhook-app.ts';
import { waitUntil } from './wait.ts';

/** A server and a customer's application, and the sentences most scenarios share. */

export interface ParticipantView {
  sid: string;
  identity: string;
  status: string;
}

export class Stage {
  readonly server: Server;
  readonly app: WebhookApp;

  private constructor(server: Server, app: WebhookApp) {
    this.server = server;
    this.app = app;
  }

  static async open(cast: Cast, options: ServerOptions = {}): Promise<Stage> {
    const server = await cast.add('server', startServer(options));
    const app = await cast.add('webhook app', WebhookApp.start(server.authToken));
    return new Stage(server, app);
  }

  /** A number whose calls ask `path` of the application. */
  async number(phoneNumber: string, path: string, more: Record<string, string> = {}): Promise<string> {
    const number = await this.server.client.incomingPhoneNumbers.create({ phoneNumber, voiceUrl: `${this.app.url}${path}`, ...more });
    return number.sid;
  }

  /** A room made through REST, its events told to `/room` of the application. Returns its SID. */
  async room(uniqueName: string, more: Record<string, unknown> = {}): Promise<string> {
    const room = await this.server.client.video.v1.rooms.create({ uniqueName, type: 'group', statusCallback: `${this.app.url}/room`, ...more });
    return room.sid;
  }

  async participants(room: string, status: 'connected' | 'disconnected' | 'reconnecting' = 'connected'): Promise<ParticipantView[]> {
    return this.server.client.video.v1.rooms(room).participants.list({ status });
  }

  /** Waits until exactly these identities are connected, in any order. */
  async waitParticipants(room: string, count: number, timeoutMs = 10_000): Promise<ParticipantView[]> {
    let last: ParticipantView[] = [];
    return waitUntil(
      async () => {
        last = await this.participants(room);
        return last.length === count ? last : null;
      },
      { timeoutMs, everyMs: 150, what: () => `${count} participants in ${room}; there were ${last.map((p) => p.identity).join(', ')}` },
    );
  }

  /** Waits for a REST status of a call. */
  async waitCallStatus(sid: string, status: string, timeoutMs = 10_000): Promise<void> {
    let last = '';
    await waitUntil(async () => (last = (await this.server.client.calls(sid).fetch()).status) === status, { timeoutMs, everyMs: 100, what: () => `call ${sid} to be ${status}; it was ${last}` });
  }

  roomEvents(event: string, params: Record<string, string> = {}): ReturnType<WebhookApp['matching']> {
    return this.app.matching({ path: '/room', params: { StatusCallbackEvent: event, ...params } });
  }
}

/** Error codes among the notifications of a call. */
export async function notificationCodes(stage: Stage, callSid: string): Promise<string[]> {
  const notifications = await stage.server.client.calls(callSid).notifications.list();
  return notifications.map((notification) => String(notification.errorCode));
}
