// The SDK as published. While it loads it makes a function from a string, to fetch a noise cancellation plugin this page does
// not use, and the page's security policy rightly forbids that. Where there is no `URL` the SDK leaves that function out, so
// `URL` is out of sight for just as long. The order of these three lines is the point.
import './url-hidden.ts';
import * as Video from 'twilio-video';
import './url-back.ts';

export { Video };
