// What a person does to have other answers or more of one, or to see those that there are. Each is a form that works by itself, and
// goes over the connection where there is one.

const BUTTONS = ["again", "continue", "correct", "compare", "choose"].map((action) => `[data-action=${action}]`).join();

// The frame for what the button asks.
function frameOf(button) {
  const { action } = button.dataset;
  if (action === "choose") return { type: action, message: button.value };
  const { reply } = button.closest("[data-reply]").dataset;
  return { type: action, reply, ...(button.value && { [button.name]: button.value }) };
}

function fold(panel) {
  panel.open = false;
  panel.querySelector("summary").focus();
}

export function listenToAlternatives({ connection, scroll }) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest(BUTTONS);
    if (!button || !connection.send(frameOf(button))) return; // otherwise the form is posted
    event.preventDefault();
    if (button.dataset.action === "continue") scroll.follow();
    const panel = button.closest(".reroute");
    if (panel) fold(panel);
  });
}
