/** Translation of bodies: octets for which one core is paid. */
import { gzipSync } from 'node:zlib'
import { nodeContentCodings } from '../../src/cloud/node/content-codings.ts'
import { BodyTranslation } from '../../src/cloud/translate/bodies/body-translation.ts'
import { CodedBody } from '../../src/cloud/translate/bodies/coded-body.ts'
import type { BodyPlan } from '../../src/cloud/translate/bodies/translated-head.ts'
import { UrlTranslation } from '../../src/cloud/translate/url-translation.ts'
import { outwardInText } from '../../src/cloud/translate/urls-in-text.ts'
import type { MicroFigure } from '../report/results.ts'
import { median } from '../report/statistics.ts'
import { done } from './measure.ts'

const INSIDE = 'http://wiki.internal'
const place = (id: string) => ({
  ...{ tenantId: 'contoso', groupId: 'default', hostHeader: 'internal' as const },
  ...{ internalUrl: `http://${id}.internal/`, externalUrl: `https://${id}.example/` },
})
const urls = new UrlTranslation(place('wiki'), [place('files'), place('mail')])
const translation = new BodyTranslation({
  ...{ urls, inText: (text) => outwardInText(text, urls), translatesPaths: false },
  ...{ externalUrl: 'https://wiki.example/', mediaTypes: [], codings: nodeContentCodings() },
})

/** A page of an encyclopaedia: half of it markup, a link in each row, one in `every` from inside. */
function page(every: number): Uint8Array {
  const row = (i: number) => {
    const origin = i % every === 0 ? INSIDE : i % 7 === 0 ? 'https://elsewhere.example' : ''
    return (
      `<tr class="row row-${i % 9}" data-id="${i}"><td><a class="title" href="${origin}/wiki/Page_${i}?action=view&amp;id=${i}" title="Page ${i}">Page ${i}</a></td>` +
      `<td style="width:12em"><span class="date">2026-11-${i % 30}</span> Some words on what it is about, and whoever changed it last.</td></tr>\n`
    )
  }
  const rows = Array.from({ length: 4_000 }, (_, i) => row(i + 1)).join('')
  return Buffer.from(
    `<!doctype html><html><head><title>a</title></head><body><table>${rows}</table>`,
  )
}

const sheet = Buffer.from(
  Array.from(
    { length: 8_000 },
    (_, i) => `.c${i} > a:hover{color:#${i};background:url("/i/${i}.png") no-repeat;content:"x"}\n`,
  ).join(''),
)
const json = Buffer.from(
  JSON.stringify(
    Array.from({ length: 8_000 }, (_, i) => ({
      id: i,
      text: 'some words of it',
      self: `/api/${i}`,
    })),
  ),
)
const PIECE_BYTES = 64 * 1024

function translate(body: Uint8Array, kind: BodyPlan['kind']): number {
  const translator = translation.translator({
    ...{ kind, coding: 'identity', isCharsetKnown: true, hasHashes: false },
  })
  let said = 0
  for (let at = 0; at < body.length; at += PIECE_BYTES)
    said += translator.write(body.subarray(at, at + PIECE_BYTES))?.length ?? 0
  return said + (translator.end()?.length ?? 0)
}

let sink = 0
/** All of the processor time that one body takes, of whatever thread. */
async function figure(
  name: string,
  { length }: Uint8Array,
  once: () => void | Promise<void>,
): Promise<MicroFigure> {
  const warm = performance.now() + 500
  while (performance.now() < warm) await once()
  const samples: number[] = []
  while (samples.length < SAMPLES) {
    const before = process.cpuUsage()
    for (let time = 0; time < 10; time++) await once()
    const { user, system } = process.cpuUsage(before)
    samples.push((user + system) * 100)
  }
  const nanoseconds = median(samples)
  return { name, nanoseconds, note: rate(length, nanoseconds) }
}

const SAMPLES = 9
const plain = (name: string, body: Uint8Array, kind: BodyPlan['kind']) =>
  figure(name, body, () => void (sink += translate(body, kind)))

/** In 10⁶ octets. */
const rate = (bytes: number, nanoseconds: number) =>
  `${((bytes * 1e3) / nanoseconds).toFixed(0)} MB/s`

/** Opened and closed as well. The rate is that of what is in it. */
function coded(name: string, body: Uint8Array, coding: string): Promise<MicroFigure> {
  const octets = gzipSync(body)
  return figure(
    name,
    body,
    () =>
      new Promise<void>((resolve, reject) => {
        const translator = translation.translator({
          ...{ kind: 'html', coding, isCharsetKnown: true, hasHashes: false },
        })
        const through = new CodedBody(coding, nodeContentCodings(), translator, {
          write: ({ length }) => (sink += length) > 0,
          ...{ ready: () => undefined, end: resolve, failed: reject },
        })
        through.write(octets)
        through.end()
      }),
  )
}

const [none, tenth] = [page(Infinity), page(10)]
done('Translation of bodies, one core', [
  await plain('a page without internal links', none, 'html'),
  await plain('a page with one internal link in ten', tenth, 'html'),
  await plain('a style sheet', sheet, 'css'),
  await plain('JSON, as text', json, 'text'),
  await coded('the page with links, in gzip', tenth, 'gzip'),
])
