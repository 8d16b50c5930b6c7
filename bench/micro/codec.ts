/** Frames to bytes and back. */
import {
  decodeOffer,
  decodeResponse,
  encodeOffer,
  encodeResponseHead,
  frameHeader,
  FrameFlag,
  FrameReader,
  FrameType,
} from 'app-proxy/protocol'
import { done, measure } from './measure.ts'
import { OFFER, RESPONSE } from './samples.ts'

const offer = encodeOffer(OFFER)
const response = encodeResponseHead(RESPONSE)
const data = new Uint8Array(9 + 1024)
data.set(frameHeader(FrameType.DATA, FrameFlag.END, 1, 1024))
let sink = 0
const reader = new FrameReader({ frame: () => 0, data: (_, { length }) => (sink += length) }, 16384)

const repeat = (step: () => void) => (times: number) => {
  for (let time = 0; time < times; time++) step()
}

done('Codec: heads with twelve header fields', [
  measure(
    'OFFER, encode',
    repeat(() => (sink += encodeOffer(OFFER).length)),
    `${offer.length} bytes`,
  ),
  measure(
    'OFFER, decode',
    repeat(() => (sink += decodeOffer(offer).headers.length)),
  ),
  measure(
    'RESPONSE, encode',
    repeat(() => (sink += encodeResponseHead(RESPONSE).length)),
    `${response.length} bytes`,
  ),
  measure(
    'RESPONSE, decode',
    repeat(() => (sink += decodeResponse(response).status)),
  ),
  measure(
    'DATA header, write',
    repeat(() => (sink += frameHeader(FrameType.DATA, 0, 7, 1024).length)),
  ),
  measure(
    'DATA frame, read',
    repeat(() => reader.push(data)),
    '1 KiB payload',
  ),
])
