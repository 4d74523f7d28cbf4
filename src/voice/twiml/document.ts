import { SaxesParser } from 'saxes';
import { messageOf } from '../../base/errors.ts';
import { CharsetError, decodeText } from './charset.ts';
import { attributeKey, attributeLabel, prefixesIn, type ExtensionPrefixes } from './extensions.ts';
import { VERBS, type ElementRule } from './schema.ts';

/** One element of a document, all that the schema does not know taken out. Lines and columns count from 1. */
export interface TwimlElement {
  name: string;
  /** By name; extensions of ours by `extensionKey`. */
  attributes: Readonly<Record<string, string>>;
  children: readonly (TwimlElement | string)[];
  line: number;
  column: number;
  /** Of a `<Play>` that stands for an answer that was the sound itself. */
  sound?: { path: string; contentType: string };
}

/** A warning: 12200 and the numbers of bad attribute values (contract §12.2). */
export interface TwimlProblem {
  code: number;
  message: string;
  line: number;
  column: number;
}

export interface TwimlDocument {
  verbs: readonly TwimlElement[];
  warnings: readonly TwimlProblem[];
}

/** The document cannot run at all: the fallback URL is next (contract §3.5). */
export class TwimlError extends Error {
  override readonly name = 'TwimlError';
  /** 11750, 12100, 12101, 12102 or 12300. */
  readonly code: number;
  readonly line: number;
  readonly column: number;
  constructor(code: number, message: string, place: { line: number; column: number } = { line: 1, column: 1 }) {
    super(message);
    this.code = code;
    this.line = place.line;
    this.column = place.column;
  }
}

const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 32;
const MAX_WARNINGS = 100;
/** No body, status 204: nothing to do, which is probably not what was meant. */
const EMPTY: TwimlDocument = { verbs: [], warnings: [{ code: 11770, message: 'The response is empty: it holds no TwiML, so the call ends', line: 1, column: 1 }] };

/** `contentType` as the web server gave it. */
export interface TwimlAnswer {
  body: Uint8Array;
  contentType: string | null;
}

/** Whether a webhook's answer is to be played as it is (contract §3.1). */
export function isSound({ contentType }: Pick<TwimlAnswer, 'contentType'>): boolean {
  return typeOf(contentType).startsWith('audio/');
}

/** What an answer that is a sound means: a document that plays it. */
export function playing(url: string, sound: NonNullable<TwimlElement['sound']>): TwimlDocument {
  return { verbs: [{ name: 'Play', attributes: {}, children: [url], line: 1, column: 1, sound }], warnings: [] };
}

/**
 * Reads one answer of a webhook by the rules of contract §3.1: TwiML, or text to be spoken. Unknown verbs, attributes, values
 * and nestings are taken out and become warnings. Throws TwimlError only.
 */
export function readTwiml({ body, contentType }: TwimlAnswer): TwimlDocument {
  const type = typeOf(contentType);
  if (body.length > MAX_BYTES) throw new TwimlError(11750, `The response is longer than ${MAX_BYTES / 1024} kB`);
  if (body.length === 0) return EMPTY;
  const text = textOfBody(body, contentType);
  switch (type) {
    case 'text/xml':
    case 'application/xml':
    case 'text/html':
      return readDocument(text);
    case 'text/plain':
      return readPlain(text);
    default:
      throw new TwimlError(12300, type === '' ? 'The response has no Content-Type' : `The Content-Type '${type.slice(0, 100)}' is not one of text/xml, application/xml, text/html, text/plain or audio`);
  }
}

/** All text inside an element, that of its children too. */
export function textOf(element: TwimlElement): string {
  return element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
}

function typeOf(contentType: string | null): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function textOfBody(body: Uint8Array, contentType: string | null): string {
  try {
    return decodeText(body, contentType);
  } catch (error) {
    throw error instanceof CharsetError ? new TwimlError(12100, error.message) : error;
  }
}

/** Plain text that happens to be TwiML runs, any other is spoken. */
function readPlain(text: string): TwimlDocument {
  try {
    return readDocument(text);
  } catch (error) {
    if (!(error instanceof TwimlError)) throw error;
    return { verbs: [{ name: 'Say', attributes: {}, children: [text], line: 1, column: 1 }], warnings: [] };
  }
}

function readDocument(text: string): TwimlDocument {
  const root = readXml(text);
  if (root.name !== 'Response') throw new TwimlError(12102, `The root element must be <Response>, not <${root.name}>`, root);
  const version = root.attributes['version'];
  if (version !== undefined && !/^1(\.0)?$/.test(version.trim())) throw new TwimlError(12101, `Version '${version.slice(0, 40)}' of <Response> is not known`, root);
  const warnings: TwimlProblem[] = [];
  const warn = (problem: TwimlProblem): void => void (warnings.length < MAX_WARNINGS && warnings.push(problem));
  for (const name of Object.keys(root.attributes)) if (name !== 'version' && !isDeclaration(name)) warn(problemAt(root, 12200, `Attribute '${attributeLabel(name)}' of <Response> is not known`));
  return { verbs: checkedChildren(root, RESPONSE, warn).filter((child) => typeof child !== 'string'), warnings };
}

const RESPONSE: ElementRule = { support: 'works', attributes: {}, children: VERBS, nestingCode: 12200, text: false };

// ------------------------------------------------------------------------------------------------------------- XML

interface OpenElement extends TwimlElement {
  attributes: Record<string, string>;
  children: (OpenElement | string)[];
  prefixes: ExtensionPrefixes;
}

/** Well-formed XML, nothing more. No entity but XML's own five and character references is known. */
function readXml(text: string): OpenElement {
  const parser = new SaxesParser({ xmlns: false, position: true });
  const open: OpenElement[] = [];
  let root: OpenElement | null = null;
  const here = (): { line: number; column: number } => ({ line: parser.line, column: parser.column + 1 });
  let started = { line: 1, column: 1 };
  parser.on('error', (error) => {
    throw new TwimlError(12100, `The document is not well-formed: ${error.message.replace(/^[^:]*:\d+:\d+: /, '')}`, here());
  });
  parser.on('opentagstart', (tag) => {
    const at = here();
    started = { line: at.line, column: Math.max(1, at.column - tag.name.length - 2) };
  });
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH) throw new TwimlError(12100, `Elements are nested more than ${MAX_DEPTH} deep`, started);
    const prefixes = prefixesIn(tag.attributes, open.at(-1)?.prefixes ?? null);
    const attributes = Object.fromEntries(Object.entries(tag.attributes).map(([name, value]) => [attributeKey(name, prefixes), value]));
    const element: OpenElement = { name: tag.name, attributes, children: [], prefixes, ...started };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => void open.pop());
  const characters = (piece: string): void => void open.at(-1)?.children.push(piece);
  parser.on('text', characters);
  parser.on('cdata', characters);
  try {
    parser.write(text).close();
  } catch (error) {
    throw error instanceof TwimlError ? error : new TwimlError(12100, `The document is not well-formed: ${messageOf(error)}`, here());
  }
  if (!root) throw new TwimlError(12100, 'The document has no root element');
  return root;
}

// ---------------------------------------------------------------------------------------------------------- schema

type Warn = (problem: TwimlProblem) => void;

function checkedChildren(parent: TwimlElement, rule: ElementRule, warn: Warn): (TwimlElement | string)[] {
  const kept: (TwimlElement | string)[] = [];
  for (const child of parent.children) {
    if (typeof child === 'string') keepText(child, { parent, rule, kept, warn });
    else {
      const childRule = childRuleOf(child, { parent, rule, warn });
      if (!childRule) continue;
      if (rule.onlyOne === true && kept.some((other) => typeof other !== 'string')) warn(problemAt(child, 12200, `<${parent.name}> has one noun: this <${child.name}> was skipped`));
      else kept.push(checked(child, childRule, warn));
    }
  }
  return kept;
}

function keepText(text: string, { parent, rule, kept, warn }: { parent: TwimlElement; rule: ElementRule; kept: (TwimlElement | string)[]; warn: Warn }): void {
  if (rule.text) kept.push(text);
  else if (text.trim() !== '') warn(problemAt(parent, 12200, `Text inside <${parent.name}> means nothing: '${text.trim().slice(0, 40)}'`));
}

function childRuleOf(child: TwimlElement, { parent, rule, warn }: { parent: TwimlElement; rule: ElementRule; warn: Warn }): ElementRule | null {
  const known = Object.hasOwn(rule.children, child.name) ? rule.children[child.name] : undefined;
  if (known?.support === 'works') return known;
  warn(known ? unsupported(child, rule) : problemAt(child, rule.nestingCode, misplaced(child.name, parent.name)));
  return null;
}

/** What is not planned counts as what may not stand there. */
function unsupported(child: TwimlElement, parent: ElementRule): TwimlProblem {
  return problemAt(child, parent.nestingCode, `<${child.name}> is not supported here and was skipped`);
}

function misplaced(name: string, parentName: string): string {
  const rightCase = Object.keys(VERBS).find((verb) => verb.toLowerCase() === name.toLowerCase());
  if (parentName !== 'Response') return `<${name}> is not allowed inside <${parentName}> and was skipped`;
  return rightCase && rightCase !== name ? `<${name}> is not a verb, <${rightCase}> is: names are case sensitive. It was skipped` : `<${name}> is not a verb and was skipped`;
}

function checked(element: TwimlElement, rule: ElementRule, warn: Warn): TwimlElement {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(element.attributes)) {
    if (isDeclaration(name)) continue;
    const attribute = Object.hasOwn(rule.attributes, name) ? rule.attributes[name] : undefined;
    const label = attributeLabel(name);
    const expected = attribute?.support === 'works' ? attribute.check(value) : null;
    if (!attribute) warn(problemAt(element, 12200, `Attribute '${label}' of <${element.name}> is not known and was ignored`));
    else if (attribute.support !== 'works') warn(problemAt(element, 12200, `Attribute '${label}' of <${element.name}> is not supported here and was ignored`));
    else if (expected !== null) warn(problemAt(element, attribute.code, `Attribute '${label}' of <${element.name}> must be ${expected}, not '${value.slice(0, 40)}'`));
    else attributes[name] = value;
  }
  if (rule.empty && isEmpty(element) && !(rule.empty.unless !== undefined && rule.empty.unless in element.attributes)) warn(problemAt(element, rule.empty.code, `<${element.name}> has nothing inside, and nothing comes of it`));
  return { name: element.name, attributes, children: checkedChildren(element, rule, warn), line: element.line, column: element.column };
}

function isEmpty(element: TwimlElement): boolean {
  return element.children.every((child) => typeof child === 'string' && child.trim() === '');
}

/** `xmlns…` says nothing about the call. */
function isDeclaration(attribute: string): boolean {
  return attribute === 'xmlns' || attribute.startsWith('xmlns:') || attribute === 'xsi:schemaLocation' || attribute === 'xsi:noNamespaceSchemaLocation';
}

function problemAt({ line, column }: TwimlElement, code: number, message: string): TwimlProblem {
  return { code, message, line, column };
}
