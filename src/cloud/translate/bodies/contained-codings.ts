import type { Containment } from '../../../runtime/containment.ts'
import type { ContentCoder, ContentCoderOutput, ContentCodings } from './content-codings.ts'

/** The same port. What it throws, whenever it does, is the failure of that one body. */
export function containedCodings(
  codings: ContentCodings,
  containment: Containment,
): ContentCodings {
  const wrap =
    (port: string, make: ContentCodings['open']): ContentCodings['open'] =>
    (coding, output) =>
      containedCoder(make(coding, output), output, (call) => containment.demand(port, call))
  return {
    names: [...codings.names],
    open: wrap(
      'contentCodings.open',
      containment.demand('contentCodings.open', (coding, output) => codings.open(coding, output)),
    ),
    close: wrap(
      'contentCodings.close',
      containment.demand('contentCodings.close', (coding, output) => codings.close(coding, output)),
    ),
  }
}

function containedCoder(
  coder: ContentCoder,
  output: ContentCoderOutput,
  demand: <A extends unknown[]>(call: (...args: A) => void) => (...args: A) => void,
): ContentCoder {
  const wrap = <A extends unknown[]>(call: (...args: A) => void) => {
    const demanded = demand(call)
    return (...args: A) => {
      try {
        demanded(...args)
      } catch (error) {
        output.failed(error)
      }
    }
  }
  return {
    write: wrap((bytes: Uint8Array) => coder.write(bytes)),
    flush: wrap(() => coder.flush()),
    end: wrap(() => coder.end()),
    pause: wrap(() => coder.pause()),
    resume: wrap(() => coder.resume()),
    destroy: wrap(() => coder.destroy()),
  }
}
