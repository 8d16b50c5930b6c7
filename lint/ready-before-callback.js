/**
 * A function that is handed to a call may run during that call. What it uses must be there by then.
 *
 * Reported is a function that uses a local `const`, `let` or `class` whose declaration is not complete where the function is
 * made: one declared further down, or the very one that the call's result goes to. Timers and promises are let be: they
 * call back in a later turn.
 *
 * @type {import('eslint').Rule.RuleModule}
 */
export const readyBeforeCallback = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      early: '"{{name}}" is not ready here yet: a callback that uses it may run before it is.',
    },
  },
  create: (context) => ({
    'Program:exit'(program) {
      for (const scope of context.sourceCode.scopeManager.scopes)
        if (scope.type !== 'global' && scope.type !== 'module')
          for (const variable of scope.variables) check(context, variable, program)
    },
  }),
}

const LATER = new Set([
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'nextTick', 'Promise'],
  ...['then', 'catch', 'finally', 'unref', 'unreferenced'],
])

function check(context, variable) {
  const [definition] = variable.defs
  if (definition?.type !== 'Variable' && definition?.type !== 'ClassName') return
  if (definition.parent?.kind === 'var') return
  const ready = definition.node.range[1]
  for (const { identifier, isTypeReference, init } of variable.references) {
    if (isTypeReference || init || identifier.range[0] >= ready) continue
    const handed = handedFunction(identifier, definition.node)
    if (handed === undefined || isLater(handed)) continue
    context.report({ node: identifier, messageId: 'early', data: { name: variable.name } })
  }
}

/** The outermost function around `identifier`, below the declaration's own scope, if it is an argument of a call, or part of one. */
function handedFunction(identifier, declaration) {
  const [from, to] = scopeOf(declaration).range
  let handed
  for (let node = identifier; node.parent !== null; node = node.parent) {
    if (node.range[0] <= from && node.range[1] >= to) break
    if (isFunction(node) && node.type !== 'FunctionDeclaration') handed = node
  }
  return handed === undefined || argumentOf(handed) === undefined ? undefined : handed
}

/** The call that a function is handed to, be it in an object or a list. */
function argumentOf(node) {
  for (let at = node; at.parent !== null; at = at.parent) {
    const { parent } = at
    const isCall = parent.type === 'CallExpression' || parent.type === 'NewExpression'
    if (isCall) return parent.callee === at ? undefined : parent
    if (
      !/^(Property|ObjectExpression|ArrayExpression|SpreadElement|ConditionalExpression|LogicalExpression|TS\w+Expression)$/.test(
        parent.type,
      )
    )
      return undefined
  }
  return undefined
}

function isLater(handed) {
  const { callee } = argumentOf(handed)
  const name = callee.type === 'MemberExpression' ? callee.property.name : callee.name
  return LATER.has(name)
}

function scopeOf(declaration) {
  let node = declaration.parent
  while (node.parent !== null && !isFunction(node) && node.type !== 'Program') node = node.parent
  return node
}

function isFunction({ type }) {
  return /Function(Expression|Declaration)$/.test(type)
}
