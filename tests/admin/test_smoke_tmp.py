def test_x(ada, school):
    assert ada.get("/admin/").status_code == 200
