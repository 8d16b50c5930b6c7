/**
 * What reads every frame, and writes those that need no MessagePack. The build has it as an entry
 * of its own, so that whoever bundles no more of the protocol than this loads no more.
 *
 * @module
 */
export { FrameFlag, FrameType, ResetCode } from './wire/frame-types.ts'
export { encodeFrame, frameHeader, FrameReader } from './wire/frame.ts'
export { decodeHello, decodeWelcome } from './wire/greetings.ts'
export {
  decodeClaim,
  decodeDecline,
  decodeInformational,
  decodeOffer,
  decodeResponse,
  decodeTrailers,
} from './wire/heads.ts'
export {
  decodeConfiguration,
  decodeCredit,
  decodeEmpty,
  decodePing,
  decodeReset,
  decodeStop,
  encodeCredit,
  encodeReset,
  encodeStop,
} from './wire/control-frames.ts'
