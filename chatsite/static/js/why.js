// Rendered anew, what a person has unfolded stays unfolded and keeps the focus. `replace` puts the new element
// in place of `before`, and gives it.
export function keepingWhy(before, replace) {
  const isOpen = before.querySelector(".why")?.open ?? false;
  const hadFocus = before.contains(document.activeElement);
  const after = replace();
  const why = after.querySelector(".why");
  if (why) why.open = isOpen;
  if (hadFocus) why?.querySelector("summary").focus();
  return after;
}
