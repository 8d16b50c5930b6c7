/** A guide is called by its first heading, in the site's navigation and on its page. */
import { Converter, ReflectionKind } from 'typedoc'

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const document of project.getReflectionsByKind(ReflectionKind.Document)) {
      const [first] = document.content
      const heading = first?.kind === 'text' ? /^# (.+)\n/.exec(first.text) : null
      if (heading === null) continue
      document.name = heading[1].replaceAll('`', '')
      first.text = first.text.slice(heading[0].length)
    }
  })
}
