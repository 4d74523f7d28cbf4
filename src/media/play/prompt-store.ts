import { MediaError } from '../protocol.ts';

export class PromptStore {
  async load(path: string, _contentType: string): Promise<Int16Array> {
    throw new MediaError('prompt-type', `cannot play ${path} yet`);
  }
  close(): void {}
}
