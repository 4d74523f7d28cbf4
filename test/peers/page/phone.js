'use strict';
// A phone in a page, driven by a test: JsSIP over a WebSocket, humming its own tone. Tones and ears are those of party.js.

globalThis.phone = (() => {
  const events = [];
  const tell = (name, more = {}) => events.push({ name, ...more });
  let ua = null;
  let session = null;
  /** Who was talked with before, and is on hold. */
  let earlier = null;
  let ear = null;
  let humming = null;

  const media = () => ({ mediaStream: humming, mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });

  const hearTracksOf = (connection) => {
    connection.addEventListener('track', ({ track }) => {
      ear?.close();
      ear = new Ear(track);
    });
  };

  const follow = (next, incoming) => {
    session = next;
    for (const name of ['progress', 'accepted', 'confirmed', 'hold', 'unhold']) next.on(name, ({ originator } = {}) => tell(name, { originator }));
    for (const name of ['failed', 'ended']) next.on(name, ({ cause, message, originator }) => tell(name, { cause, originator, status: message?.status_code ?? null }));
    if (next.connection) hearTracksOf(next.connection);
    else next.on('peerconnection', ({ peerconnection }) => hearTracksOf(peerconnection));
    if (!incoming) return;
    tell('rang');
    next.answer(media());
  };

  return {
    events,
    register({ wsUri, uri, password, toneHz }) {
      humming = new MediaStream([toneTrack(toneHz)]);
      ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(wsUri)], uri, password, register: true });
      ua.on('newRTCSession', ({ session: next, originator }) => follow(next, originator === 'remote'));
      ua.on('disconnected', () => tell('disconnected'));
      return new Promise((resolve) => {
        ua.once('registered', ({ response }) => resolve({ status: response.status_code }));
        ua.once('registrationFailed', ({ response, cause }) => resolve({ status: response?.status_code ?? null, cause }));
        ua.start();
      });
    },
    dial(target) {
      ua.call(target, media());
    },
    hangUp() {
      session.terminate();
    },
    /** Asks the latest party before calling another one. */
    async consult(target) {
      await new Promise((held) => session.hold({}, held));
      earlier = session;
      ua.call(target, media());
    },
    /** Joins the two: the one who was consulted takes the place of this phone with the earlier one (RFC 3891). Resolves with what the NOTIFYs say. */
    transfer() {
      return new Promise((resolve) => {
        earlier.refer(session.remote_identity.uri.toString(), {
          replaces: session,
          eventHandlers: {
            requestFailed: ({ cause }) => resolve({ outcome: 'refused', cause }),
            accepted: ({ status_line }) => resolve({ outcome: 'accepted', status: status_line.status_code }),
            failed: ({ status_line }) => resolve({ outcome: 'failed', status: status_line?.status_code ?? null }),
          },
        });
      });
    },
    hold(on) {
      return on ? session.hold() : session.unhold();
    },
    press(digits) {
      session.sendDTMF(digits, { transportType: 'RFC2833', duration: 120, interToneGap: 120 });
    },
    cut() {
      ua.transport.disconnect();
    },
    async listen(ms, frequencies) {
      if (!ear) return Object.fromEntries(frequencies.map((hz) => [hz, { share: 0, amplitude: 0 }]));
      return (await listenTo({ ear }, ms, frequencies)).ear;
    },
  };
})();
