// A button that pays once for what is on the screen, and nothing else.
//
// What is typed reaches Python late (the front end holds keystrokes back while a message is under
// way), a click at once. So a click only asks; Python answers "heard", and by then every keystroke
// before the click has been sent. Only then "buy" leaves, with the turn that the person saw: each
// turn buys once, however often and from however many views of the button it is clicked.
function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "musicapi-buy";
  el.append(button);
  let asked = null;

  const show = () => {
    button.textContent = model.get("label");
    button.disabled = !model.get("ready");
    button.setAttribute("aria-busy", String(model.get("busy")));
  };
  const click = () => {
    if (!model.get("ready") || asked !== null) return;
    asked = model.get("turn");
    model.send({ kind: "ask", turn: asked, price: model.get("price") });
  };
  const answer = (message) => {
    if (message?.turn !== asked || asked === null) return;
    if (message.kind === "heard") model.send({ kind: "buy", turn: asked });
    asked = null;
  };

  button.addEventListener("click", click);
  model.on("change:label change:ready change:busy", show);
  model.on("msg:custom", answer);
  show();
  return () => {
    model.off("change:label change:ready change:busy", show);
    model.off("msg:custom", answer);
  };
}

export default { render };
